"""Report results on stdout, and messages and errors on stderr."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from cwic.cli import bar
from cwic.cli.job import PIPE, shown
from cwic.errors import CwicError
from cwic.records import to_json


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
            _echo(text)


def say(text: str) -> None:
    """Print a message to stderr."""
    with bar.hidden():
        _echo(text, err=True)


def _echo(text: str, *, err: bool = False) -> None:
    import typer  # not before there is something to print: the processes that code files of a folder print nothing

    typer.echo(text, err=err)


def ends_run(error: BaseException) -> bool:
    """Return whether an error ends a run of several files. Any other error is the failure of one file."""
    import typer  # not before there is an error, for the same reason

    return isinstance(
        error,
        (
            KeyboardInterrupt,
            SystemExit,
            GeneratorExit,
            BrokenPipeError,  # the reader of stdout is gone: typer ends the run quietly
            typer.Exit,
            typer.Abort,
            typer.BadParameter,
        ),
    )


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
