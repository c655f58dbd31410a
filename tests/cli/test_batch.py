from __future__ import annotations

from pathlib import Path

import pytest
import typer

from cwic.cli import batch
from cwic.errors import FormatError, InputError, OutputExistsError


def _targets(inputs: list[str], output: str | None) -> list[str]:
    return [job.target for job in batch.plan(inputs, output, ".cwic")]


def test_outputs_are_named_after_inputs(tmp_path: Path) -> None:
    assert _targets(["a/photo.png", "b.tar.jpg", "noname"], None) == [
        "a/photo.cwic",
        "b.tar.cwic",
        "noname.cwic",
    ]
    assert _targets(["a/photo.png", "b.jpg"], str(tmp_path)) == [
        f"{tmp_path}/photo.cwic",
        f"{tmp_path}/b.cwic",
    ]
    assert _targets(["photo.png"], "other") == ["other"]
    assert _targets(["photo.png"], "-") == ["-"]
    assert _targets(["-"], None) == ["-"]
    assert _targets(["-"], "out") == ["out"]


@pytest.mark.parametrize(
    ("inputs", "output", "reason"),
    [
        (["a.png", "b.png"], "one", "existing folder"),
        (["a.png", "b.png"], "-", "existing folder"),
        (["a.png", "-"], None, "only input"),
        (["-"], ".", "needs a file name"),
        (["a.png", "a.jpg"], None, r"a\.png and a\.jpg would both become a\.cwic"),
    ],
)
def test_names_that_cannot_work_are_usage_errors(inputs: list[str], output: str | None, reason: str) -> None:
    with pytest.raises(typer.BadParameter, match=reason):
        batch.plan(inputs, output, ".cwic")


def test_one_failure_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [
        FormatError("bad"),
        None,
        OutputExistsError("old"),
        MemoryError(),
        PermissionError(13, "No", "f"),
    ]
    done = []

    def work(index: int) -> None:
        done.append(index)
        if (error := failures[index]) is not None:
            raise error

    with pytest.raises(typer.Exit) as stop:
        batch.run(["a", "b", "-", "d", "e"], work)
    assert stop.value.exit_code == 6
    assert done == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err.splitlines() == [
        "cwic: a: bad",
        "cwic: stdin: old",
        "cwic: d: not enough memory",
        "cwic: e: No: f",
    ]


def test_data_of_a_file_and_of_its_memory_map(tmp_path: Path) -> None:
    path = tmp_path / "a.cwic"
    path.write_bytes(b"data")
    for mapped in (False, True):
        with batch.data_of(str(path), mapped=mapped) as data:
            assert data[:] == b"data"
        with pytest.raises(InputError), batch.data_of(str(tmp_path / "missing"), mapped=mapped):
            pass
    path.write_bytes(b"")
    with batch.data_of(str(path), mapped=True) as data:
        assert data == b""
