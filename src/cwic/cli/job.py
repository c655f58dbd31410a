"""A job: one input and the output made from it. Check before any work whether the output can be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from cwic.errors import CwicError, InputError
from cwic.image.files import check_output

PIPE = "-"
"""The name of stdin as an input, and of stdout as an output."""
STDIN = frozenset({PIPE, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
STDOUT = frozenset({PIPE, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


class UsageError(CwicError):
    """One of several files cannot be coded with the options given: wrong usage, exit code 2."""

    exit_code = 2


class Job(NamedTuple):
    """One input and the output made from it.

    Attributes:
        source: the input, or PIPE.
        target: the output, or PIPE.
        clash: the reason why the job must not be done; None if it may.
        makes_folder: True if the folder of the output is made when the output is written.
    """

    source: str
    target: str
    clash: str | None = None
    makes_folder: bool = False

    def __str__(self) -> str:
        return f"{shown(self.source)} -> {shown(self.target)}"


def check_job(job: Job, *, force: bool) -> None:
    """Check, before any work is done for it, that an output may and can be written.

    Args:
        job: the job.
        force: an existing output may be replaced.

    Raises:
        UsageError: its name clashes with another.
        InputError: its folder does not exist, or cannot be written to.
        CwicError: the errors of `check_output`.
    """
    if job.clash is not None:
        raise UsageError(job.clash)
    if job.makes_folder and not os.path.lexists(job.target):
        _check_new_folder(Path(job.target).parent)
    elif job.target != PIPE:
        check_target(Path(job.target), force=force, source=None if job.source == PIPE else job.source)


def _check_new_folder(folder: Path) -> None:
    """Raise `InputError` if a folder can be neither used nor made, so that no file is coded in vain."""
    there = next(place for place in (folder, *folder.parents, Path()) if place.exists())
    if not there.is_dir():
        raise InputError(f"cannot make the folder {shown(folder)}: {shown(there)} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written to the folder {shown(there)}")


def check_target(path: Path, *, force: bool, source: str | os.PathLike[str] | None = None) -> None:
    """Check that an output may and can be written to a path.

    Args:
        path: the output.
        force: an existing output may be replaced.
        source: the input, which must not be the output; None for stdin.

    Raises:
        InputError: no file can be made there.
        CwicError: the errors of `check_output`.
    """
    check_output(path, force=force, source=source)
    folder = Path(os.path.realpath(path)).parent
    if not path.exists():
        if not folder.is_dir():
            raise InputError(f"the folder of output {shown(path)} does not exist")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"nothing can be written to the folder of output {shown(path)}")


def check_writable(path: Path) -> None:
    """Try to write beside a path, before hours of work are lost. Raises `InputError` if that fails."""
    from tempfile import TemporaryFile

    try:
        with TemporaryFile(dir=Path(os.path.realpath(path)).parent, prefix=".cwic-"):
            pass
    except OSError as error:
        raise InputError(f"output {shown(path)} cannot be written: {error.strerror}") from None


def shown(name: str | os.PathLike[str]) -> str:
    r"""Return a name as printable text on one line, with escapes (`\x` ...) for undecodable and control characters."""
    return "".join(c if c.isprintable() else _escaped(c) for c in os.fspath(name))


def _escaped(c: str) -> str:
    # Python represents an undecodable byte in a file name as a surrogate.
    return f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c.encode("unicode_escape").decode()
