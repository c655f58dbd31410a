from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cwic.cli import streams
from cwic.errors import InputError


def test_a_closed_stdin_is_an_error_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="closed"):
        streams.read("-")


def test_a_closed_stdout_is_an_error_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(InputError, match="stdout is closed"):
        streams.write("-", b"data", force=False)


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        streams.write(str(pipe), b"data", force=False)
        assert read.result() == b"data"
    # A pipe without a name in the file system, as a shell's >( ) has.
    ends = os.pipe()
    streams.write(f"/dev/fd/{ends[1]}", b"more", force=False)
    assert os.read(ends[0], 9) == b"more"
    os.close(ends[0])
    with pytest.raises(InputError, match="nobody reads"):
        streams.write(f"/dev/fd/{ends[1]}", b"more", force=False)
    os.close(ends[1])


def test_data_of_a_file_and_of_its_memory_map(tmp_path: Path) -> None:
    path = tmp_path / "a.cwic"
    path.write_bytes(b"data")
    for mapped in (False, True):
        with streams.data_of(str(path), mapped=mapped) as data:
            assert data[:] == b"data"
        with pytest.raises(InputError), streams.data_of(str(tmp_path / "missing"), mapped=mapped):
            pass
    path.write_bytes(b"")
    with streams.data_of(str(path), mapped=True) as data:
        assert data == b""
