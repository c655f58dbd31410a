"""The outcome of one file of a run, the same whether it is coded here or in another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cwic.cli import batch
from cwic.cli.plan import Job
from cwic.errors import CwicError
from cwic.image.losses import losses_to


class Made(NamedTuple):
    """An output that is still to be written.

    Attributes:
        record: what `--json` reports; with `width` and `height`, unless nothing was done.
        data: its bytes; None where a whole output is there already.
        replaces: a damaged output is there, and is replaced.
        notes: what is said of the output once it is written.
        problem: what is wrong with it all the same.
    """

    record: dict[str, Any]
    data: bytes | memoryview | None = None
    replaces: bool = False
    notes: tuple[str, ...] = ()
    problem: CwicError | None = None


class Outcome(NamedTuple):
    """What was said meanwhile, and what was made: None after a failure, with an exit code and the error in words."""

    said: list[str]
    made: Made | None
    exit_code: int = 0
    error_type: str = ""
    error: str = ""


Work = Callable[[Job], Made]
"""Reads and codes one file, and writes nothing. It can be sent to another process."""


def attempt(work: Work, job: Job) -> Outcome:
    """Does the work. A failure is an outcome too, unless it is one of those that end a whole run."""
    said: list[str] = []
    try:
        with losses_to(lambda text: said.append(batch.complaint(job.source, " ".join(text.split()))), UserWarning):
            return Outcome(said, work(job))
    except batch.PASSED_ON:
        raise
    except BaseException as error:  # extensions raise kinds of their own, which are no Exception
        return failure(said, job, error)


def failure(said: list[str], job: Job, error: BaseException) -> Outcome:
    """The outcome of an error."""
    reason = batch.reason_of(error)
    said = [*said, batch.complaint(job.source, reason)]
    return Outcome(said, None, batch.exit_code_of(error), type(error).__name__, reason)
