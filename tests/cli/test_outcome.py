from __future__ import annotations

import warnings

import pytest
import typer

from cwic.cli.job import Job
from cwic.cli.outcome import Made, Outcome, attempt
from cwic.errors import FormatError

JOB = Job("a", "b")


def test_what_is_made_and_what_is_said_meanwhile() -> None:
    def work(job: Job) -> Made:
        assert job is JOB
        warnings.warn("left out:\n EXIF", UserWarning, stacklevel=1)
        return Made({}, b"data")

    before = warnings.showwarning
    assert attempt(work, JOB) == Outcome(["cwic: a: left out: EXIF"], Made({}, b"data"), 0)
    assert warnings.showwarning is before


class _PanicError(BaseException):
    """What an extension raises that knows no better."""


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (FormatError("bad"), "cwic: a: bad", 3),
        (MemoryError(), "cwic: a: not enough memory", 1),
        (_PanicError("index"), "cwic: a: _PanicError: index", 1),
    ],
)
def test_a_failure_is_an_outcome(error: BaseException, line: str, code: int) -> None:
    def work(_: Job) -> Made:
        warnings.warn("odd", UserWarning, stacklevel=1)
        raise error

    kind = type(error).__name__
    assert attempt(work, JOB) == Outcome(["cwic: a: odd", line], None, code, kind, line.removeprefix("cwic: a: "))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), BrokenPipeError(), typer.BadParameter("b")])
def test_what_is_said_to_the_whole_run_ends_it(error: BaseException) -> None:
    def work(_: Job) -> Made:
        raise error

    with pytest.raises(type(error)):
        attempt(work, JOB)
