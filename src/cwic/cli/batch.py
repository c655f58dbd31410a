"""Shared parts of the commands: options, pipes, several files in one run, results and errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Annotated, Any

import typer

from cwic.cli import bar
from cwic.cli.plan import PIPE, STDIN, shown
from cwic.container.limits import DEFAULT_LIMITS, NO_LIMITS, Limits
from cwic.errors import CwicError, InputError
from cwic.image.files import read_bytes, write_atomically
from cwic.records import to_json

PASSED_ON = (
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    BrokenPipeError,  # the reader of stdout is gone: typer ends the run quietly
    typer.Exit,
    typer.Abort,
    typer.BadParameter,
)
"""Errors that end a run of several files. Any other error is the failure of one file."""

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, or - for stdin.", show_default=False)]
Sources = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="Files, folders, or - for stdin.", show_default=False),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", help="File, folder (a new one ends in /), or - for stdout.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace existing outputs.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        help="Files to work on at a time; of one picture, tiles. As many as processors.",
        min=1,
        show_default=False,
    ),
]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave whole outputs as they are: goes on with a stopped run.")
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="PATTERN", help="Of a folder, only files like '*.tif'.", show_default=False),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Of a folder, nothing like that.", show_default=False),
]


class Device(str, Enum):
    """The device that runs the networks."""

    cpu = "cpu"
    cuda = "cuda"


OnDevice = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="Accept any size: for files and pictures that you trust.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as one JSON object per line.")]


def run(names: Sequence[str], work: Callable[[int], None]) -> None:
    """Do `work(index)` for every name. A failure is reported and does not stop the others.

    Raises:
        typer.Exit: there were failures; its code is the highest among them.
    """
    worst = 0
    for index, name in enumerate(names):
        try:
            work(index)
        except PASSED_ON:
            raise
        except BaseException as error:  # extensions raise kinds of their own, which are no Exception
            worst = max(worst, complain(name, error))
    if worst:
        raise typer.Exit(worst)


def complain(name: str, error: BaseException) -> int:
    """Report the failure of a file on stderr, in one line, and return its exit code.

    In Python's development mode, the traceback of an unexpected error is printed too.
    """
    say(complaint(name, reason_of(error)))
    return exit_code_of(error)


def complaint(name: str, text: str) -> str:
    """Return a message about a file, as one line."""
    return f"cwic: {'stdin' if name == PIPE else shown(name)}: {text}"


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of the command after an error."""
    return error.exit_code if isinstance(error, CwicError) else 1


def check_skip(*, skip_existing: bool, force: bool) -> None:
    """Refuse both `--skip-existing` and `--force`. Raises typer.BadParameter (usage, exit code 2)."""
    if skip_existing and force:
        raise typer.BadParameter("--skip-existing keeps existing outputs and --force replaces them: one of the two")


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
    """Write a whole file, or write to stdout, a pipe or a device. Raises the errors of `write_atomically`."""
    if target == PIPE:
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


def report(line: str, record: dict[str, Any], *, as_json: bool, target: str = "") -> None:
    """Print one result to stdout; to stderr if stdout carries the file itself.

    Args:
        line: the result in words.
        record: the result for JSON.
        as_json: print the record instead of the line.
        target: the output that the result is about; `PIPE` if it goes to stdout.
    """
    text = to_json(record) if as_json else line
    if target == PIPE:
        say(text)
    else:
        with bar.hidden():
            typer.echo(text)


def say(text: str) -> None:
    """Print a message to stderr."""
    with bar.hidden():
        typer.echo(text, err=True)


def reason_of(error: BaseException) -> str:
    """Return an error as one line of text.

    In Python's development mode, the traceback is printed too, unless the error is a `CwicError` or an `OSError`.
    """
    if sys.flags.dev_mode and not isinstance(error, (CwicError, OSError)):
        traceback.print_exception(error)
    if isinstance(error, CwicError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error).split())
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {text}"
    named = f": {shown(str(error.filename))}" if error.filename else ""
    return f"{error.strerror}{named}" if error.strerror else text
