"""One shard: its pictures fetched ahead by threads, coded, written, and then its results.

Nothing of it is lost with the process or the machine that does it: without results the shard is to be done again, and
an output is there whole or not at all.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import tempfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import NamedTuple, Protocol

from cwic.batch.entry import CODED, FAILED, Entry, Row, raise_problem, row_of
from cwic.batch.manifest import Manifest
from cwic.batch.patience import StoreError
from cwic.batch.store import Target, is_local, local_path, read
from cwic.container.header import MAGIC
from cwic.errors import CwicError, InputError, OutputExistsError

THREADS = 8
"""Pictures that are fetched, and outputs that are written, at a time."""
_OF_COMMAND = ".cwic"
_TEMPORARY = "cwic-batch-"


class Task(NamedTuple):
    """One picture for a coder: the path of a local file, and the path, never written, whose name its output has."""

    number: int
    source: str
    output: str


class Coded(NamedTuple):
    """What a coder makes of a task: the bytes of its output, or None and an error."""

    data: bytes | None
    width: int = 0
    height: int = 0
    bpp: float = 0.0
    seconds: float = 0.0
    error_type: str = ""
    error: str = ""
    exit_code: int = 0
    notes: str = ""


Coding = Generator[tuple[int, Coded], None, None]
"""Numbers of tasks and what comes of them. Closing it ends the work at once."""


class Coder(Protocol):
    """What codes. It can be sent to another machine before it is used, and keeps its model."""

    name: str
    """What tells it from other coders."""
    at_a_time: int
    """Tasks that it works on at a time."""

    def coded(self, tasks: Iterable[Task]) -> Coding:
        """Codes tasks, taken one by one; their numbers and what comes of them, in any order."""


class Counts(NamedTuple):
    """What came of a shard: pictures coded, those that failed, and those left as they were."""

    coded: int
    failed: int
    kept: int


def do_shard(shard: str, target: str, coder: Coder, *, is_fresh: bool, force: bool) -> Counts:
    """Do what the manifest says of a shard, and write its results. If they are there already, nothing is done.

    Args:
        shard: its name.
        target: the folder or URL of the outputs, with the manifest.
        coder: what codes.
        is_fresh: the target was empty when the listing was made.
        force: outputs of other origin are replaced.

    Raises StoreError if the store does not answer or is full: then the shard is not done.
    """
    begun = time()
    place = Target(target)
    manifest = Manifest(place)
    if results := manifest.rows(shard)[0]:  # Ray repeats a task whose answer a machine took with it
        return _counts(results, 0)
    entries = sorted(manifest.entries(shard), key=lambda entry: (-entry.size, entry.name))
    if manifest.begin(shard):
        place.tidy({posixpath.dirname(entry.output) for entry in entries})
    rows = {row.version: row for row in manifest.earlier(shard) if row.status == CODED}
    kept = [rows[entry.version] for entry in entries if entry.version in rows]
    todo = [entry for entry in entries if entry.version not in rows]
    replaced = {row.output for row in rows.values()}
    with _Folder() as folder:
        work = _Work(todo, place, folder, None if is_fresh else manifest.begun(), force, replaced, coder.at_a_time)
        made = work.rows(coder)
    manifest.finish(shard, sorted([*kept, *made], key=lambda row: row.name), begun)
    return _counts(made, len(kept))


def _counts(rows: list[Row], kept: int) -> Counts:
    failed = sum(row.status == FAILED for row in rows)
    return Counts(len(rows) - failed, failed, kept)


class _Folder:
    """A temporary folder of this process. Those of processes that were killed are removed."""

    def __enter__(self) -> str:
        for name in os.listdir(tempfile.gettempdir()):
            if name.startswith(_TEMPORARY) and not _is_alive(name.split("-")[2]):
                shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
        self._folder = tempfile.mkdtemp(prefix=f"{_TEMPORARY}{os.getpid()}-")
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_alive(process: str) -> bool:
    if os.name != "posix":
        return True  # there is no asking without ending it
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


@dataclass
class _Work:
    """The pictures of a shard that are to be coded; those waiting, being written, and done."""

    entries: list[Entry]
    target: Target
    folder: str
    since: float | None
    """When the run began: an output that is older is none of its own. None where there can be none."""
    force: bool
    """Outputs of other origin are replaced."""
    own: set[str]
    """Outputs that are known to be its own."""
    at_a_time: int
    done: list[Row] = field(default_factory=list)

    def rows(self, coder: Coder) -> list[Row]:
        """Does all of them."""
        threads = ThreadPoolExecutor(THREADS)
        writing: list[Future[Row]] = []
        try:
            with closing(coder.coded(self._fetched(threads))) as coding:
                for number, coded in coding:
                    writing.append(threads.submit(self._written, number, coded))
                    while len(writing) > THREADS or (writing and writing[0].done()):
                        self.done.append(writing.pop(0).result())
            self.done += [future.result() for future in writing]
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
        return self.done

    def _fetched(self, threads: ThreadPoolExecutor) -> Iterator[Task]:
        """The tasks for the coder, some fetched ahead; what cannot be fetched is a row at once."""
        numbers = iter(range(len(self.entries)))
        ahead: list[tuple[int, Future[Task]]] = []
        while True:
            while len(ahead) < self.at_a_time + THREADS and (number := next(numbers, None)) is not None:
                ahead.append((number, threads.submit(self._fetch, number)))
            if not ahead:
                return
            number, future = ahead.pop(0)
            try:
                yield future.result()
            except StoreError:
                raise
            except Exception as error:
                self.done.append(failed(self.entries[number], error))

    def _fetch(self, number: int) -> Task:
        entry = self.entries[number]
        raise_problem(entry)
        self._check_output(entry.output)
        folder = os.path.join(self.folder, str(number))
        os.mkdir(folder)
        output = os.path.join(folder, f"output{posixpath.splitext(entry.output)[1]}")
        if is_local(entry.path) and not entry.member:
            return Task(number, local_path(entry.path), output)
        part = (entry.offset, entry.size) if entry.member else ()
        source = os.path.join(folder, f"source{posixpath.splitext(entry.file_name)[1]}")
        Path(source).write_bytes(read(entry.path, *part))
        return Task(number, source, output)

    def _check_output(self, output: str) -> None:
        """Raises OutputExistsError, and InputError, for an output that is there and not to be replaced."""
        if self.since is None or output in self.own:
            return
        changed = self.target.changed(output)
        if changed is None or changed >= self.since:
            return
        if changed == float("-inf"):
            raise InputError(f"output {output} is a folder")
        if not self.force:
            raise OutputExistsError(f"output {output} was there before this run: -f replaces it")
        if output.endswith(_OF_COMMAND) and not self.target.head(output, len(MAGIC)).startswith(MAGIC):
            raise InputError(f"output {output} is something else than coded bytes, which they never replace")

    def _written(self, number: int, coded: Coded) -> Row:
        entry = self.entries[number]
        try:
            if coded.data is None:
                return row_of(
                    entry,
                    FAILED,
                    seconds=coded.seconds,
                    error_type=coded.error_type,
                    error=coded.error,
                    exit_code=coded.exit_code,
                    notes=coded.notes,
                )
            try:
                self.target.write(entry.output, coded.data)
            except InputError as error:
                return failed(entry, error)
            return row_of(
                entry,
                CODED,
                bytes=len(coded.data),
                width=coded.width,
                height=coded.height,
                bpp=coded.bpp,
                seconds=coded.seconds,
                crc=zlib.crc32(coded.data),
                error_type=coded.error_type,
                error=coded.error,
                exit_code=coded.exit_code,
                notes=coded.notes,
            )
        finally:
            with suppress(OSError):
                shutil.rmtree(os.path.join(self.folder, str(number)))


def failed(entry: Entry, error: Exception) -> Row:
    """The row of a picture that could not be read or written."""
    code = error.exit_code if isinstance(error, CwicError) else 1
    text = " ".join(str(error).split())
    return row_of(entry, FAILED, error_type=type(error).__name__, error=text, exit_code=code)
