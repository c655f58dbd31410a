from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cwic.container.header import MAGIC, VERSION

Run = Callable[..., Any]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    small = np.random.default_rng(5).integers(0, 256, (4, 4, 4), np.uint8)
    Image.fromarray(small).resize((96, 70), Image.Resampling.BICUBIC).save(path)
    return path


def test_verbose_tells_fidelity_bits_and_seconds(run_cwic: Run, photo: Path) -> None:
    answer = run_cwic("encode", photo, "--verbose", "--json")
    assert answer.code == 0
    record = json.loads(answer.out)
    assert record["psnr_db"] > 25
    assert (record["ms_ssim"], record["ssimulacra2"]) == (None, None)  # too small for their scales
    assert sum(record["bits"].values()) == 8 * record["bytes"]
    assert {"z", "pass 1", "pass 4", "alpha", "container"} < record["bits"].keys()
    assert list(record["seconds_by_stage"]) == ["read", "loading", "analysis", "coding", "write"]
    assert record["seconds_by_stage"]["analysis"] > 0
    text = run_cwic("encode", photo, "-v", "-f").out.decode().splitlines()
    assert [line.split()[0] for line in text[1:]] == ["fidelity", "bits", "seconds"]
    assert "PSNR" in text[1]
    assert "pass 3" in text[2]
    assert "write" in text[3]
    assert "psnr_db" not in json.loads(run_cwic("encode", photo, "-f", "--json").out)


def test_verbose_tells_what_effort_brought(run_cwic: Run, photo: Path) -> None:
    options = ("-f", "-v", "-m", "cwic-s", "-e", 7)
    record = json.loads(run_cwic("encode", photo, *options, "--json").out)["refined"]
    assert record.keys() == {"steps", "bits_before", "bits_after", "cost_before", "cost_after"}
    assert record["steps"] == 5
    assert record["bits_after"] < record["cost_after"] < record["cost_before"]
    text = run_cwic("encode", photo, *options).out.decode().splitlines()
    assert [line.split()[0] for line in text[1:]] == ["fidelity", "bits", "effort", "seconds"]
    assert f"5 steps  bits of latents {record['bits_before']:.0f} -> {record['bits_after']:.0f} (" in text[3]
    assert text[3].endswith(f"together {record['cost_after'] / record['cost_before'] - 1:+.1%}")
    assert "refined" not in json.loads(run_cwic("encode", photo, "-f", "-v", "--json").out)


@pytest.mark.usefixtures("fake_codec")
def test_a_whole_output_is_skipped_and_a_damaged_one_replaced(run_cwic: Run, photo: Path) -> None:
    Image.new("RGB", (30, 20)).save(photo)
    output = photo.with_suffix(".cwic")
    assert run_cwic("encode", photo, "--skip-existing").code == 0
    whole = output.read_bytes()
    answer = run_cwic("encode", photo, "--skip-existing")
    assert answer == (0, b"", "")
    for damaged in (whole[:-1], b"", b"something else"):
        output.write_bytes(damaged)
        answer = run_cwic("encode", photo, "--skip-existing")
        assert (answer.code, answer.err) == (0, f"cwic: {photo}: output {output} was damaged, and is replaced\n")
        assert output.read_bytes() == whole


@pytest.mark.usefixtures("fake_codec")
def test_what_is_no_damage_is_never_replaced(run_cwic: Run, photo: Path) -> None:
    output = photo.with_suffix(".cwic")
    for data, code in ((MAGIC + bytes([VERSION + 1]) + bytes(20), 3), (photo.read_bytes(), 1)):
        output.write_bytes(data)
        answer = run_cwic("encode", photo, "--skip-existing")
        assert (answer.code, len(answer.err.splitlines())) == (code, 1)
        assert output.read_bytes() == data
    assert run_cwic("encode", photo, "--skip-existing", "-o", photo).code == 1
