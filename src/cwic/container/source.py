"""Read the bytes of a file from memory, from disk or from an open file."""

from __future__ import annotations

import os
from errno import ENAMETOOLONG
from io import UnsupportedOperation
from mmap import mmap
from pathlib import Path
from typing import IO, Any, TypeAlias

from cwic.container.index import Data
from cwic.errors import InputError

Source: TypeAlias = "bytes | bytearray | memoryview | mmap | str | os.PathLike[str] | IO[bytes]"
"""The types that `data_of` takes; any other object with a buffer works too."""


WANTED = "the bytes of a .cwic file, its path, or the file opened in binary mode"


def data_of(source: Any, wanted: str = WANTED) -> Data:
    """The bytes behind a `Source`; a memory map is left as it is, so that only what is needed of it is read.

    A buffer counts byte for byte, whatever its shape and strides. A text is the path of a file. An open file is read
    from where it stands to its end, and stays open. `wanted` is said to be expected where it is something else.

    Raises `InputError`, in one sentence, for anything else and for what cannot be read.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, mmap):
        if source.closed:
            raise InputError("the memory map is closed")
        return source
    if isinstance(source, str | os.PathLike):
        return _of_path(source)
    try:
        with memoryview(source) as view:
            return view.tobytes()
    except (TypeError, ValueError, NotImplementedError, BufferError):
        pass  # no buffer, or one of objects
    if callable(getattr(source, "read", None)) and not isinstance(source, type):
        return _of_open_file(source)
    raise InputError(f"expected {wanted}, not {type(source).__name__}")


def _of_path(path: str | os.PathLike[str]) -> bytes:
    check_path(path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        hint = "; a text is taken for a path" if error.errno == ENAMETOOLONG else ""
        raise InputError(f"cannot read the file: {error.strerror or error}{hint}") from error
    except ValueError as error:  # a letter that no file name has
        raise InputError(f"cannot read the file: {error}") from error


def check_path(path: str | os.PathLike[str]) -> None:
    """Raises `InputError` for what cannot be a path, as content in its place."""
    text = os.fspath(path)
    if not text:
        raise InputError("cannot read the file: its name is empty")
    if not isinstance(text, str) or "\0" in text or not _is_encodable(text):
        raise InputError("cannot read the file: a text is taken for a path, and this is none; give content as bytes")


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _of_open_file(file: Any) -> bytes:
    try:
        data = file.read()
    except UnicodeError:
        raise InputError(_TEXT_MODE) from None
    except UnsupportedOperation:
        raise InputError("the file is not open for reading: open it in binary mode, as open(path, 'rb') does") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the open file: {error}") from error
    if isinstance(data, str):
        raise InputError(_TEXT_MODE)
    try:
        data = bytes(memoryview(data))
    except TypeError:
        raise InputError(f"reading the open file gave {type(data).__name__}, not bytes") from None
    if not data and _position(file):
        raise InputError("the open file stands at its end, and nothing is left to read: seek(0) first")
    return data


_TEXT_MODE = "the file is open in text mode: open it in binary mode, as open(path, 'rb') does"


def _position(file: Any) -> int:
    """Return the position in a file; 0 for a stream without positions."""
    try:
        return int(file.tell())
    except (AttributeError, OSError, ValueError, TypeError):
        return 0
