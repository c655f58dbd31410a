from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import typer

import cwic
from cwic.cli import batch
from cwic.errors import FormatError, InputError, OutputExistsError


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


class _PanicError(BaseException):
    """What an extension raises that knows no better."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("no\n  more"), "RuntimeError: no more"),
        (struct.error("unpack requires a buffer of 4 bytes"), "error: unpack requires a buffer of 4 bytes"),
        (UnicodeEncodeError("ascii", "\xe9", 0, 1, "no"), "UnicodeEncodeError: 'ascii' codec can't encode"),
        (RecursionError("deep"), "RecursionError: deep"),
        (KeyError("w"), "KeyError: 'w'"),
        (_PanicError("index"), "_PanicError: index"),
    ],
)
def test_an_error_of_any_kind_is_one_line(error: BaseException, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work(index: int) -> None:
        done.append(index)
        if index == 0:
            raise error

    with pytest.raises(typer.Exit) as stop:
        batch.run(["a", "b"], work)
    assert (stop.value.exit_code, done) == (1, [0, 1])
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"cwic: a: {line}")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), BrokenPipeError(), typer.BadParameter("b")])
def test_what_is_said_to_the_whole_run_ends_it(error: BaseException) -> None:
    def work(_: int) -> None:
        raise error

    with pytest.raises(type(error)):
        batch.run(["a"], work)


def test_names_are_said_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    batch.complain("caf\udce9\n.png", InputError("bad"))
    assert capsys.readouterr().err == "cwic: caf\\xe9\\n.png: bad\n"


def test_json_is_valid_whatever_a_file_is_called(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n.cwic")
    Path(name).write_bytes(cwic.encode(np.zeros((8, 8), np.uint8)))
    command = [sys.executable, "-m", "cwic", "info", "--json", name]
    for variables in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **variables})
        found = json.loads(done.stdout.decode("utf-8", "strict"))
        assert found["file"].encode() == os.fsencode(tmp_path) + b"/caf\\xe9 \n.cwic"


def test_a_closed_stdin_is_an_error_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="closed"):
        batch.read("-")


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        batch.write(str(pipe), b"data", force=False)
        assert read.result() == b"data"
    # A pipe without a name in the file system, as a shell's >( ) has.
    ends = os.pipe()
    batch.write(f"/dev/fd/{ends[1]}", b"more", force=False)
    assert os.read(ends[0], 9) == b"more"
    os.close(ends[0])
    with pytest.raises(InputError, match="nobody reads"):
        batch.write(f"/dev/fd/{ends[1]}", b"more", force=False)
    os.close(ends[1])


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
