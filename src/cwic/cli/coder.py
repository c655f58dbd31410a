"""The coder of `cwic batch`: it codes the pictures of a shard in processes that keep the model loaded."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cwic.batch.shard import Coded, Coding, Task
from cwic.cli.job import Job
from cwic.cli.outcome import Outcome, Work
from cwic.cli.pool import Pool, ProcessDiedError
from cwic.cli.reports import complaint

TRIES = 3
"""Attempts for a picture whose process dies: the process may have been killed for no fault of the picture."""


@dataclass
class PoolCoder:
    """A coder that works in processes of this machine. It can be sent to another machine before it is used.

    Attributes:
        work: codes one picture.
        at_a_time: the number of processes.
        threads: the threads of each process.
        name: distinguishes this coder from others.
    """

    work: Work
    at_a_time: int
    threads: int
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    _pool: Pool | None = None

    def coded(self, tasks: Iterable[Task]) -> Coding:
        """Code tasks, taken one by one. Yields the number and the result of each, in the order in which they end."""
        if self._pool is None:
            self._pool = Pool(self.work, self.at_a_time, self.threads)
        for tries_left in reversed(range(TRIES)):
            given: list[Task] = []
            died: list[Task] = []
            for index, outcome in self._pool.outcomes(_jobs(tasks, given)):
                task = given[index]
                if outcome.error_type == ProcessDiedError.__name__ and tries_left:
                    died.append(task)
                else:
                    yield task.number, _coded(task, outcome)
            tasks = died

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def _jobs(tasks: Iterable[Task], given: list[Task]) -> Iterator[Job]:
    for task in tasks:
        given.append(task)
        yield Job(task.source, task.output)


def _coded(task: Task, outcome: Outcome) -> Coded:
    made = outcome.made
    if made is None or made.data is None:
        notes = _notes(task, outcome.said[:-1])
        return Coded(None, 0, 0, 0.0, 0.0, outcome.error_type, outcome.error, outcome.exit_code, notes)
    record = made.record
    width, height = record["width"], record["height"]
    bpp = record.get("bpp", 8 * os.path.getsize(task.source) / (width * height))
    notes = _notes(task, [*outcome.said, *made.notes])
    return Coded(bytes(made.data), width, height, bpp, record["seconds"], notes=notes)


def _notes(task: Task, said: Iterable[str]) -> str:
    """Return the messages about a picture as one line, without the names of its temporary files."""
    starts = (complaint(task.source, ""), complaint(task.output, ""))
    return "; ".join(text.removeprefix(starts[0]).removeprefix(starts[1]) for text in said)
