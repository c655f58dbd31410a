"""Read inputs and write outputs: files, pipes, devices, stdin and stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from cwic.cli import bar
from cwic.cli.job import PIPE, STDIN, shown
from cwic.container.limits import DEFAULT_LIMITS, NO_LIMITS, Limits
from cwic.errors import InputError
from cwic.image.files import read_bytes, write_atomically


def read(source: str) -> bytes:
    """Return all bytes of a file or of stdin. Raises InputError if they cannot be read."""
    if source not in STDIN:
        return read_bytes(source)
    if sys.stdin is None:
        raise InputError("it is closed")
    return sys.stdin.buffer.read()


def is_file(source: str) -> bool:
    """Return whether the path is a file that can be read more than once; pipes and devices cannot."""
    return source not in STDIN and Path(source).is_file()


@contextmanager
def data_of(source: str, *, mapped: bool) -> Iterator[bytes | mmap]:
    """Give all bytes of a file or of stdin, for the length of a context.

    Args:
        source: the path, or a name of stdin.
        mapped: give a memory map instead of bytes, if the source is a readable file that is not empty.

    Raises:
        InputError: it cannot be read.
    """
    if not mapped or not is_file(source) or not os.access(source, os.R_OK) or not Path(source).stat().st_size:
        yield read(source)
        return
    with Path(source).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as view:
        yield view


def limits(lifted: bool) -> Limits:
    """Return the limits on files and pictures. If they are lifted, Pillow's own limit is lifted too."""
    if not lifted:
        return DEFAULT_LIMITS
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    return NO_LIMITS


def write(target: str, data: bytes | memoryview, *, force: bool) -> None:
    """Write a whole file, or write to stdout, a pipe or a device.

    Raises `InputError` if nobody reads it, and the errors of `write_atomically`.
    """
    if target == PIPE:
        if sys.stdout is None:
            raise InputError("stdout is closed")
        with bar.hidden():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    elif Path(target).exists() and not Path(target).is_file() and not Path(target).is_dir():
        # Opened by the name given: the path of an anonymous pipe leads nowhere once it is resolved.
        try:
            with open(target, "wb") as file:
                file.write(data)
        except BrokenPipeError:
            raise InputError(f"nobody reads the output {shown(target)}") from None
    else:
        write_atomically(target, data, force=force)
