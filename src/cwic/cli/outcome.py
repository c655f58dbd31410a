"""The outcome of one file of a run, the same whether it is coded here or in another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cwic.cli import reports
from cwic.cli.job import Job
from cwic.errors import CwicError
from cwic.image.losses import losses_to


class Made(NamedTuple):
    """An output that is still to be written.

    Attributes:
        record: the report of `--json`; it has `width` and `height`, unless the file was skipped.
        data: the bytes of the output; None if a whole output exists already.
        replaces: True if a damaged output exists and is to be replaced.
        notes: messages that are printed once the output is written.
        problem: an error that is reported although the output is written.
    """

    record: dict[str, Any]
    data: bytes | memoryview | None = None
    replaces: bool = False
    notes: tuple[str, ...] = ()
    problem: CwicError | None = None


class Outcome(NamedTuple):
    """The outcome of a job.

    Attributes:
        said: the messages that came up during the work.
        made: the output; None after a failure.
        exit_code: the exit code of a failure, otherwise 0.
        error_type: the name of the error's class, or empty.
        error: the error in words, or empty.
    """

    said: list[str]
    made: Made | None
    exit_code: int = 0
    error_type: str = ""
    error: str = ""


Work = Callable[[Job], Made]
"""A function that reads and codes one file, and writes nothing. It can be sent to another process."""


def attempt(work: Work, job: Job) -> Outcome:
    """Do the work and return its outcome. A failure is an outcome too, unless it ends a whole run (`ends_run`)."""
    said: list[str] = []
    try:
        with losses_to(lambda text: said.append(reports.complaint(job.source, " ".join(text.split()))), UserWarning):
            return Outcome(said, work(job))
    except BaseException as error:  # extensions raise kinds of their own, which are no Exception
        if reports.ends_run(error):
            raise
        return failure(said, job, error)


def failure(said: list[str], job: Job, error: BaseException) -> Outcome:
    """Return the outcome of a job that failed.

    Args:
        said: the messages before the error.
        job: the job.
        error: the error.
    """
    reason = reports.reason_of(error)
    said = [*said, reports.complaint(job.source, reason)]
    return Outcome(said, None, reports.exit_code_of(error), type(error).__name__, reason)
