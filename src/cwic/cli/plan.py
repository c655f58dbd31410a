"""Pair inputs with outputs: beside the input, in a folder or to a pipe, and never two with one name."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import typer

from cwic.errors import CwicError, InputError
from cwic.image.files import check_output

PIPE = "-"
"""The name of stdin as an input, and of stdout as an output."""
STDIN = frozenset({PIPE, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
STDOUT = frozenset({PIPE, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_NAMELESS = ("/dev/", "/proc/")


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


def plan(inputs: Sequence[str], output: str | None, suffix: str) -> list[Job]:
    """Name the output of every input: beside it with another suffix, or as `-o` says.

    A name that ends in a slash is a folder, which is made if it does not exist. An input named twice is one job. If
    several inputs would become one file, under whatever spelling of its name, the job of each has a `clash`.

    Args:
        inputs: the names of the inputs, at least one.
        output: the name given with `-o`; None if there is none.
        suffix: the suffix of outputs without a name of their own.

    Returns:
        The jobs, in the order of the inputs.

    Raises:
        typer.BadParameter: the names cannot work (usage, exit code 2).
    """
    if output in STDOUT:
        output = PIPE
    slash = output is not None and output.endswith(("/", os.sep))
    into_folder = output is not None and output != PIPE and (slash or Path(output).is_dir())
    if len(inputs) > 1:
        if not STDIN.isdisjoint(inputs):
            raise typer.BadParameter("- (stdin) must be the only input")
        if output is not None and not into_folder:
            raise typer.BadParameter("with several inputs, -o must name an existing folder, or end in / for a new one")
        if output is None and any(source.startswith(_NAMELESS) for source in inputs):
            raise typer.BadParameter("several pipes need -o and a folder")
    if inputs[0] in STDIN and into_folder:
        raise typer.BadParameter("the output of stdin needs a file name")
    if output is not None and slash:
        try:
            Path(output).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise typer.BadParameter(f"cannot make the folder {shown(output)}: {error.strerror}") from None
    return without_clashes([Job(source, _target(source, output, into_folder, suffix)) for source in inputs])


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


def _target(source: str, output: str | None, into_folder: bool, suffix: str) -> str:
    if output is not None and not into_folder:
        return output
    if source in STDIN or (output is None and source.startswith(_NAMELESS)):
        return PIPE
    named = Path(source).with_suffix(suffix) if Path(source).name else Path(source)
    return str(Path(output or "") / named.name) if into_folder else str(named)


def without_clashes(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs without repeats, with a `clash` in each one that would replace the file of another job."""
    once: dict[tuple[str, str], Job] = {}
    for job in jobs:
        once.setdefault((_place(job.source), _place(job.target)), job)
    if len(once) == 1:
        return list(once.values())
    sources = {source: job.source for (source, _), job in once.items()}
    makers: dict[str, list[str]] = {}
    for (_, target), job in once.items():
        makers.setdefault(target, []).append(job.source)

    def clash(source: str, target: str, job: Job) -> str | None:
        others = [shown(name) for name in makers[target] if name != job.source]
        way = "give it another name, alone with -o"
        if others:
            return f"{shown(job.target)} would be the output of {' and '.join(others)} too: {way}"
        if target in sources and target != source:
            return f"output {shown(job.target)} is itself an input: {way}"
        return None

    return [job._replace(clash=clash(*places, job)) for places, job in once.items()]


def _place(name: str) -> str:
    """Return one path for all spellings of a file's name."""
    if name == PIPE:
        return name
    real = os.path.realpath(name)
    folds = folds_case(os.path.dirname(real))
    return unicodedata.normalize("NFC", real).casefold() if folds else real


@lru_cache(maxsize=64)
def folds_case(folder: str) -> bool:
    """Return whether names in a folder that differ only in case are one file. Files that exist there decide."""
    try:
        with os.scandir(folder) as entries:
            path = next((entry.path for entry in entries if entry.name != entry.name.swapcase()), folder)
    except OSError:
        path = folder
    head, tail = os.path.split(path)
    other = os.path.join(head, tail.swapcase())
    return tail != tail.swapcase() and os.path.exists(other) and os.path.samefile(path, other)
