from __future__ import annotations

import io
import os
from array import array
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import pytest

from cwic.container.source import data_of
from cwic.errors import InputError

DATA = bytes(range(256)) * 3


def test_every_kind_of_buffer() -> None:
    spread = bytearray(2 * len(DATA))
    spread[::2] = DATA
    backwards = bytearray(DATA[::-1])
    for source in (
        DATA,
        bytearray(DATA),
        memoryview(DATA),
        memoryview(spread)[::2],
        memoryview(backwards)[::-1],
        memoryview(DATA).cast("c"),
        memoryview(DATA).cast("b"),
        memoryview(DATA).cast("I"),
        memoryview(DATA).cast("B", (3, 16, 16)),
        array("H", DATA),
    ):
        found = data_of(source)
        assert type(found) is bytes
        assert found == DATA


def test_a_buffer_is_free_and_may_change_afterwards() -> None:
    buffer = bytearray(DATA)
    found = data_of(buffer)
    buffer.clear()
    assert found == DATA


def test_paths_open_files_and_maps(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before" + DATA)
    assert data_of(path) == data_of(str(path)) == b"before" + DATA
    with path.open("rb") as file:
        file.seek(6)
        assert data_of(file) == DATA
        assert not file.closed
        with mmap(file.fileno(), 0, access=ACCESS_READ) as view:
            assert data_of(view) is view
    with path.open("rb", buffering=0) as file:
        assert data_of(file) == b"before" + DATA


class _Stream:
    """Something that reads, and can do nothing else."""

    def __init__(self, answer: Any) -> None:
        self.read = lambda: answer


def test_a_stream_needs_no_more_than_read() -> None:
    assert data_of(_Stream(DATA)) == data_of(_Stream(bytearray(DATA))) == DATA
    assert data_of(_Stream(b"")) == b""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "expected the bytes of a .cwic file, its path, or the file opened in binary mode, not NoneType"),
        (3, "not int"),
        ([137, 67, 87], "not list"),
        ("\x89CW\0\x01", "a text is taken for a path, and this is none; give content as bytes"),
        ("\ud800", "cannot read the file"),
        ("there is no such file", "cannot read the file: No such file or directory$"),
        (io.StringIO("text"), "binary mode"),
        (io.BytesIO, "not type"),
        (_Stream(None), "gave NoneType, not bytes"),
    ],
)
def test_other_things_are_refused_in_a_sentence(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        data_of(source)


def test_an_empty_pipe_is_an_empty_file() -> None:
    read, write = os.pipe()
    os.close(write)
    with open(read, "rb") as file:
        assert data_of(file) == b""


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with (tmp_path / "file").open(encoding="utf-8") as text, pytest.raises(InputError, match="in binary mode"):
        data_of(text)
    with (tmp_path / "file").open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as view:
        pass
    with pytest.raises(InputError, match="map is closed"):
        data_of(view)
    written = io.BytesIO()
    written.write(DATA)
    with pytest.raises(InputError, match=r"seek\(0\) first"):
        data_of(written)
    written.close()
    with pytest.raises(InputError, match=r"cannot read the open file: .*closed"):
        data_of(written)
    with (tmp_path / "new").open("wb") as file, pytest.raises(InputError, match="not open for reading"):
        data_of(file)
    with pytest.raises(InputError, match="cannot read the file"):
        data_of(tmp_path)
    with pytest.raises(InputError, match="a text is taken for a path"):
        data_of("x" * 5000)
