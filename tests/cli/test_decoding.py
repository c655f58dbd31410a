from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cwic

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("fake_codec")


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    path = tmp_path / "photo.cwic"
    path.write_bytes(cwic.encode(Image.effect_noise((30, 20), 50).convert("RGB")))
    return path


def test_a_whole_picture_is_skipped_and_a_damaged_one_replaced(run_cwic: Run, coded: Path) -> None:
    output = coded.with_suffix(".png")
    assert run_cwic("decode", coded, "--skip-existing").code == 0
    whole = output.read_bytes()
    assert run_cwic("decode", coded, "--skip-existing") == (0, b"", "")
    for damaged in (whole[:-20], b""):
        output.write_bytes(damaged)
        answer = run_cwic("decode", coded, "--skip-existing")
        assert (answer.code, answer.err) == (0, f"cwic: {coded}: output {output} was damaged, and is replaced\n")
        assert output.read_bytes() == whole


def test_another_picture_is_never_replaced(run_cwic: Run, coded: Path) -> None:
    output = coded.with_suffix(".png")
    Image.new("RGB", (31, 20)).save(output)
    answer = run_cwic("decode", coded, "--skip-existing")
    assert answer.code == 6
    assert "another picture, 31x20, not 30x20" in answer.err
    assert Image.open(output).size == (31, 20)


def test_the_size_of_a_part_is_that_of_the_part(run_cwic: Run, coded: Path) -> None:
    Image.new("RGB", (8, 9)).save(coded.with_suffix(".png"))
    assert run_cwic("decode", coded, "--skip-existing", "--crop", "1,2,8,9") == (0, b"", "")
    assert run_cwic("decode", coded, "--skip-existing", "--crop", "1,2,7,9").code == 6


def test_a_damaged_source_is_an_error_as_ever(run_cwic: Run, coded: Path) -> None:
    assert run_cwic("decode", coded).code == 0
    coded.write_bytes(b"no cwic file")
    assert run_cwic("decode", coded, "--skip-existing").code == 3
