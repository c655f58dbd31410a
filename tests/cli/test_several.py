from __future__ import annotations

import struct

import pytest
import typer

from cwic.cli import several
from cwic.errors import FormatError, OutputExistsError


def test_one_failure_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [
        FormatError("bad"),
        None,
        OutputExistsError("old"),
        MemoryError(),
        PermissionError(13, "No", "f"),
    ]
    done = []

    def work(index: int) -> None:
        done.append(index)
        if (error := failures[index]) is not None:
            raise error

    with pytest.raises(typer.Exit) as stop:
        several.run(["a", "b", "-", "d", "e"], work)
    assert stop.value.exit_code == 6
    assert done == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err.splitlines() == [
        "cwic: a: bad",
        "cwic: stdin: old",
        "cwic: d: not enough memory",
        "cwic: e: No: f",
    ]


class _PanicError(BaseException):
    """What an extension raises that knows no better."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("no\n  more"), "RuntimeError: no more"),
        (struct.error("unpack requires a buffer of 4 bytes"), "error: unpack requires a buffer of 4 bytes"),
        (UnicodeEncodeError("ascii", "\xe9", 0, 1, "no"), "UnicodeEncodeError: 'ascii' codec can't encode"),
        (RecursionError("deep"), "RecursionError: deep"),
        (KeyError("w"), "KeyError: 'w'"),
        (_PanicError("index"), "_PanicError: index"),
    ],
)
def test_an_error_of_any_kind_is_one_line(error: BaseException, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work(index: int) -> None:
        done.append(index)
        if index == 0:
            raise error

    with pytest.raises(typer.Exit) as stop:
        several.run(["a", "b"], work)
    assert (stop.value.exit_code, done) == (1, [0, 1])
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"cwic: a: {line}")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), BrokenPipeError(), typer.BadParameter("b")])
def test_what_is_said_to_the_whole_run_ends_it(error: BaseException) -> None:
    def work(_: int) -> None:
        raise error

    with pytest.raises(type(error)):
        several.run(["a"], work)
