"""What the commands share: names of outputs, pipes, several files in one run, results and errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from cwic.container.limits import DEFAULT_LIMITS, NO_LIMITS, Limits
from cwic.errors import CwicError
from cwic.image.files import check_output, read_bytes, write_atomically

PIPE = "-"

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, or - for stdin.", show_default=False)]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", help="File, existing folder, or - for stdout.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace existing outputs.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Tiles to work on at a time.", min=1)]


class Device(str, Enum):
    """Where the networks run."""

    cpu = "cpu"
    cuda = "cuda"


OnDevice = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="Accept any size: for files and pictures that you trust.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as one JSON object per line.")]


class Job(NamedTuple):
    """One input and the output made from it; either may be PIPE."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


def plan(inputs: Sequence[str], output: str | None, suffix: str) -> list[Job]:
    """Name the output of every input: beside it with another suffix, or as `-o` says.

    Raises typer.BadParameter (usage, exit code 2) if the names cannot work.
    """
    into_folder = output is not None and output != PIPE and Path(output).is_dir()
    if len(inputs) > 1:
        if PIPE in inputs:
            raise typer.BadParameter("- (stdin) must be the only input")
        if output is not None and not into_folder:
            raise typer.BadParameter("with several inputs, -o must name an existing folder")
    if inputs[0] == PIPE and into_folder:
        raise typer.BadParameter("the output of stdin needs a file name")

    jobs = [Job(source, _target(source, output, into_folder, suffix)) for source in inputs]
    made_from: dict[str, str] = {}
    for source, target in jobs:
        if made_from.setdefault(target, source) != source:
            raise typer.BadParameter(f"{made_from[target]} and {source} would both become {target}")
    return jobs


def run(names: Sequence[str], work: Callable[[int], None]) -> None:
    """Do `work(index)` for every name. A failure is reported and does not stop the others.

    Exits with the highest exit code among the failures, if there are any.
    """
    worst = 0
    for index, name in enumerate(names):
        try:
            work(index)
        except BrokenPipeError:
            raise  # nobody reads any more: typer ends the run quietly
        except (CwicError, OSError, MemoryError) as error:
            worst = max(worst, complain(name, error))
    if worst:
        raise typer.Exit(worst)


def complain(name: str, error: Exception) -> int:
    """Say what went wrong with a file, in one line. Returns its exit code."""
    say(f"cwic: {'stdin' if name == PIPE else name}: {_reason(error)}")
    return getattr(error, "exit_code", 1)


def check_job(job: Job, *, force: bool) -> None:
    """Refuse an output that must not be written, before any work is done. Raises as `check_output`."""
    if job.target != PIPE:
        check_output(job.target, force=force, source=None if job.source == PIPE else job.source)


def read(source: str) -> bytes:
    """All bytes of a file or of stdin. Raises InputError."""
    return sys.stdin.buffer.read() if source == PIPE else read_bytes(source)


@contextmanager
def data_of(source: str, *, mapped: bool) -> Iterator[bytes | mmap]:
    """All bytes of a file or of stdin; of a file as a memory map if `mapped`. Raises InputError."""
    if not mapped or source == PIPE or not os.access(source, os.R_OK) or not Path(source).stat().st_size:
        yield read(source)
        return
    with Path(source).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as view:
        yield view


def limits(lifted: bool) -> Limits:
    """The limits on files and pictures, those of Pillow among them, lifted or not."""
    if not lifted:
        return DEFAULT_LIMITS
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    return NO_LIMITS


def write(target: str, data: bytes | memoryview, *, force: bool) -> None:
    """Write a whole file, or to stdout. Raises as `write_atomically`."""
    if target == PIPE:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(target, data, force=force)


def report(line: str, record: dict[str, Any], *, as_json: bool, target: str = "") -> None:
    """One result, to stdout; to stderr where stdout carries the file itself."""
    text = json.dumps(record) if as_json else line
    if target == PIPE:
        say(text)
    else:
        typer.echo(text)


def say(text: str) -> None:
    """Talk, to stderr."""
    typer.echo(text, err=True)


def _target(source: str, output: str | None, into_folder: bool, suffix: str) -> str:
    if output is not None and not into_folder:
        return output
    if source == PIPE:
        return PIPE
    named = Path(source).with_suffix(suffix) if Path(source).name else Path(source)
    return str(Path(output or "") / named.name) if into_folder else str(named)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory"
    return str(error)
