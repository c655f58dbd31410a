from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def summary(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, factor: float) -> Path:
        results = {"bpp": [factor * bpp for bpp in (0.1, 0.3, 0.6, 1.0)], "psnr-rgb": [26, 29, 32, 35]}
        (tmp_path / name).write_text(json.dumps({"name": name, "results": results}))
        return tmp_path / name

    return write


def test_text_and_json(run_cwic: Run, summary: Callable[..., Path]) -> None:
    reference, half, double = summary("ref.json", 1), summary("half.json", 0.5), summary("double.json", 2)
    answer = run_cwic("bd", reference, half, double)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.decode().splitlines()
    assert lines[0].split()[:5] == ["BD-rate", "%", "overlap,", "dB", "test"]
    assert [line.split() for line in lines[1:]] == [
        ["-50.00", "26.00", "to", "35.00", str(half)],
        ["+100.00", "26.00", "to", "35.00", str(double)],
    ]
    record = json.loads(run_cwic("bd", "--json", reference, double).out)
    assert record.pop("percent") == pytest.approx(100)
    assert record == {"reference": str(reference), "test": str(double), "low": 26, "high": 35}


def test_bad_files_are_named_and_do_not_stop_the_others(run_cwic: Run, summary: Callable[..., Path]) -> None:
    reference = summary("ref.json", 1)
    answer = run_cwic("bd", reference, "missing.json", reference)
    assert answer.code == 1
    assert answer.err.startswith("cwic: missing.json: cannot read")
    assert str(reference) in answer.out.decode().splitlines()[-1]


def test_bad_reference_ends_the_run(run_cwic: Run, summary: Callable[..., Path]) -> None:
    answer = run_cwic("bd", "missing.json", summary("ref.json", 1))
    assert (answer.code, answer.out) == (1, b"")
