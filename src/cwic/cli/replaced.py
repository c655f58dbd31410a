"""Refuse to replace a picture by coded bytes: a slip of `-o` could destroy the only copy of a photograph."""

from __future__ import annotations

import re
from pathlib import Path

from cwic.cli.job import UsageError, shown
from cwic.container.header import MAGIC
from cwic.errors import InputError

_SUFFIX = re.compile(
    r"\.(a?png|avifs?|bmp|dib|gif|hei[cf]|ico|j2[ck]|jp[2cefgx]|jpeg|jfif|jxl|p[bgnp]m|psd|qoi|tga|tiff?|webp"
    r"|arw|cr[23]|dng|nef|orf|raf|rw2)",
    re.IGNORECASE,
)
_START = re.compile(
    rb"\x89PNG|\xff\xd8\xff|\xff\x0a|GIF8|8BPS|qoif|II[*+]\0|MM\0[*+]|P[1-7]\s|RIFF....WEBP|....ftyp|\0\0\0\x0cJXL ",
    re.DOTALL,
)


def check_no_picture(target: Path, *, force: bool) -> None:
    """Refuse to write coded bytes over a picture, or under the name of one.

    Args:
        target: the output.
        force: allow the name of a picture if no file has it.

    Raises:
        InputError: the output is an existing picture; `force` does not change that.
        UsageError: the output does not exist but has the name of a picture, and `force` is not given.
    """
    named = has_name_of_picture(target)
    if target.is_file():
        start = _start(target)
        if not start.startswith(MAGIC) and (_START.match(start) or (named and start)):
            raise InputError(f"output {shown(target)} is a picture, which coded bytes never replace")
    elif named and not target.exists() and not force:
        raise UsageError(f"output {shown(target)} has the name of a picture, not of coded bytes: .cwic, or -f")


def has_name_of_picture(path: Path) -> bool:
    """Return whether a name has the suffix of a picture."""
    return _SUFFIX.fullmatch(path.suffix) is not None


def begins_as_picture(path: Path) -> bool:
    """Return whether the file exists and begins as a picture, not as coded bytes."""
    return path.is_file() and _START.match(_start(path)) is not None


def begins_as_coded(path: Path) -> bool:
    """Return whether the file exists and begins as coded bytes."""
    return path.is_file() and _start(path).startswith(MAGIC)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)
