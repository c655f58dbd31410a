"""Measure a codec over a folder of pictures: choose what is still to be measured, share the work, keep the results.

After each picture the table of its codec is written anew, so that a run can be stopped at any time and goes on from
there. A row counts as measured where codec, settings, quality and the samples of the picture are still the same.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cwic.errors import CwicError, InputError, OutputExistsError
from cwic.evaluation.codecs.codec import Codec
from cwic.evaluation.codecs.registry import open_codec
from cwic.evaluation.cores import share_cores, threads_each
from cwic.evaluation.measure import fingerprint, measure_picture, settings_of
from cwic.evaluation.rows import Row, read_tsv, to_tsv
from cwic.evaluation.summary import Point, means, pictures_id, to_summary
from cwic.image.files import read_bytes, write_atomically
from cwic.image.folder import read_picture


class Task(NamedTuple):
    """One picture for one codec: what a worker does at once.

    `codec` is the name that `open_codec` takes; the worker opens it for itself.
    """

    codec: str
    file: Path
    image: str
    qualities: tuple[float, ...]
    further: tuple[str, ...]


class Outcome(NamedTuple):
    """A finished task: its rows, or why there are none."""

    task: Task
    rows: list[Row]
    error: CwicError | None


@dataclass
class Table:
    """The results of one codec on one set of pictures, in `OUT/NAME.tsv` and `OUT/NAME.json`.

    Attributes:
        opened_as: the name that `open_codec` takes.
        qualities: those to measure.
        pictures: the pixels' fingerprints, by the names of the pictures.
        unreadable: names of pictures that nothing can be measured on.
        further: optional measures to take too.
        rows: what is measured, of an earlier run too.
    """

    codec: Codec
    opened_as: str
    out: Path
    qualities: Sequence[float]
    pictures: dict[str, str]
    unreadable: Collection[str]
    further: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    grown: bool = False

    @property
    def tsv(self) -> Path:
        """A row for each picture and quality."""
        return self.out / f"{self.codec.name}.tsv"

    @property
    def json(self) -> Path:
        """The means."""
        return self.out / f"{self.codec.name}.json"

    def load(self, *, force: bool) -> None:
        """Take over what an earlier run measured.

        Raises OutputExistsError: the files hold what this run would drop (other settings, qualities or pictures), and
        not `force`.
        """
        if not self.tsv.exists():
            if self.json.exists() and not force:
                raise OutputExistsError(f"output {self.json} exists already: -f replaces it")
            return
        try:
            found = read_tsv(read_bytes(self.tsv))
            own = list({(row.image, row.quality): row for row in found if self._is_wanted(row)}.values())
            reason = "" if len(own) == len(found) else "it has rows of other settings, qualities or pictures"
            # Rows that lack a measure are measured again: they lose nothing.
            kept = [row for row in own if all(getattr(row, name) is not None for name in self.further)]
        except InputError as error:
            kept, reason = [], str(error)
        if reason and not force:
            raise OutputExistsError(f"output {self.tsv} exists already, and {reason}: -f replaces it")
        self.rows = kept
        self.grown = bool(reason)

    def tasks(self, files: dict[str, Path]) -> Iterator[Task]:
        """Return the qualities that are still to be measured, by picture."""
        done = {(row.image, row.quality) for row in self.rows}
        for image in self.pictures:
            missing = tuple(quality for quality in self.qualities if (image, quality) not in done)
            if missing:
                yield Task(self.opened_as, files[image], image, missing, self.further)

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows in, and write the table."""
        self.rows.extend(rows)
        self.grown = True
        write_atomically(self.tsv, to_tsv(self.rows), force=True)

    def close(self) -> list[Point]:
        """Drop pictures that lack a quality. Returns the means over the others."""
        qualities: dict[str, int] = {}
        for row in self.rows:
            qualities[row.image] = qualities.get(row.image, 0) + 1
        whole = {image for image, count in qualities.items() if count == len(self.qualities)}
        complete = [row for row in self.rows if row.image in whole]
        self.grown |= len(complete) < len(self.rows)
        self.rows = complete
        return means(complete)

    def save(self, points: Sequence[Point], meta: dict[str, Any]) -> None:
        """Write both files of a closed table, where there are means and anything about them is new.

        Raises OSError: the folder is not writable, or the disk is full.
        """
        if not points or (not self.grown and self._is_described()):
            return
        images = {row.image for row in self.rows}
        own = {
            "images": len(images),
            "failed": sorted({*self.pictures, *self.unreadable} - images),
            "pictures": pictures_id(self.rows),
        }
        write_atomically(self.tsv, to_tsv(self.rows), force=True)
        write_atomically(self.json, to_summary(self.codec, points, {**meta, **own}), force=True)

    def _is_wanted(self, row: Row) -> bool:
        return (
            row.codec == self.codec.name
            and row.settings == settings_of(self.codec)
            and row.quality in self.qualities
            and self.pictures.get(row.image) == row.pixels_crc32
        )

    def _is_described(self) -> bool:
        """Return whether the summary on disk fits the rows: a run may have stopped between the two files."""
        try:
            summary = json.loads(read_bytes(self.json))
            return bool(
                summary["description"] == self.codec.description
                and summary["meta"]["quality"] == list(self.qualities)
                and summary["meta"]["pictures"] == pictures_id(self.rows)
            )
        except (InputError, ValueError, TypeError, KeyError):
            return False


def fingerprints(files: dict[str, Path]) -> tuple[dict[str, str], dict[str, CwicError]]:
    """The fingerprint of each picture, and why others cannot be read; both by the names given."""
    found: dict[str, str] = {}
    errors: dict[str, CwicError] = {}
    for image, file in files.items():
        try:
            found[image] = fingerprint(read_picture(file))
        except CwicError as error:
            errors[image] = error
    return found, errors


def measure(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """Do the tasks, in this process or in that many others, and yield each as it ends.

    Each of the processes takes its share of the cores. If a worker dies, its tasks and all pending tasks fail.
    """
    if jobs == 1:
        yield from map(_outcome, tasks)
        return
    # Started anew: threads do not survive a fork, and numpy counts the cores when it is imported.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=share_cores, initargs=(threads_each(jobs),)) as pool:
        futures: dict[Future[Outcome], Task] = {pool.submit(_outcome, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield Outcome(futures[future], [], InputError("the process that measured it died"))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _outcome(task: Task) -> Outcome:
    try:
        picture = read_picture(task.file)
        rows = measure_picture(_opened(task.codec), task.qualities, task.image, picture, further=task.further)
    except CwicError as error:
        return Outcome(task, [], error)
    except Exception as error:  # peers are other people's code, and may raise anything
        reason = "not enough memory" if isinstance(error, MemoryError) else str(error) or type(error).__name__
        return Outcome(task, [], InputError(f"{task.codec}: {reason}"))
    return Outcome(task, rows, None)


@cache
def _opened(name: str) -> Codec:
    return open_codec(name)
