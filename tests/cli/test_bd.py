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


def test_text(run_cwic: Run, summary: Callable[..., Path]) -> None:
    reference, half, far = summary("ref.json", 1), summary("half.json", 0.5), summary("far.json", 50)
    answer = run_cwic("eval", "bd", reference, half, far)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.decode().splitlines()
    assert lines[0].split()[:8] == ["BD-rate", "%", "over,", "dB", "BD-PSNR", "dB", "over,", "bpp"]
    cells = lines[1].split()
    assert cells[:4] == ["-50.00", "26.00", "to", "35.00"]
    assert float(cells[4]) > 2
    assert cells[5:] == ["0.100", "to", "0.500", str(half)]
    assert lines[2].split() == ["+4900.00", "26.00", "to", "35.00", "–", "–", str(far)]


def test_markdown_and_json(run_cwic: Run, summary: Callable[..., Path]) -> None:
    reference, double = summary("ref.json", 1), summary("double.json", 2)
    table = run_cwic("eval", "bd", "--markdown", "--over", "27:34", reference, double).out.decode().splitlines()
    assert table[1] == "| --- | --- | --- | --- | --- |"
    assert table[2].startswith("| +100.00 | 27.00 to 34.00 | -")
    record = json.loads(run_cwic("eval", "bd", "--json", reference, double).out)
    assert record.pop("rate_percent") == pytest.approx(100)
    assert record.pop("gain") < -2
    expected = {"low": 26, "high": 35, "low_bpp": 0.2, "high_bpp": 1}
    assert record == {"reference": str(reference), "test": str(double), "metric": "psnr", **expected}


def test_ms_ssim_where_there_is_none(run_cwic: Run, summary: Callable[..., Path]) -> None:
    reference = summary("ref.json", 1)
    answer = run_cwic("eval", "bd", "--metric", "ms-ssim", reference, reference)
    assert answer.code == 1
    assert "has no ms-ssim-rgb" in answer.err


@pytest.mark.parametrize("args", [["--metric", "ssim"], ["--over", "31"], ["--over", "36:31"], ["--over", "a:b"]])
def test_wrong_usage(run_cwic: Run, summary: Callable[..., Path], args: list[str]) -> None:
    reference = summary("ref.json", 1)
    assert run_cwic("eval", "bd", *args, reference, reference).code == 2


def test_bad_files_are_named_and_do_not_stop_the_others(run_cwic: Run, summary: Callable[..., Path]) -> None:
    reference = summary("ref.json", 1)
    answer = run_cwic("eval", "bd", reference, "missing.json", reference)
    assert answer.code == 1
    assert answer.err.startswith("cwic: missing.json: cannot read")
    assert str(reference) in answer.out.decode().splitlines()[-1]


def test_bad_reference_ends_the_run(run_cwic: Run, summary: Callable[..., Path]) -> None:
    answer = run_cwic("eval", "bd", "missing.json", summary("ref.json", 1))
    assert (answer.code, answer.out) == (1, b"")
