"""Do one shard: fetch its pictures ahead in threads, code them, write the outputs, and then the results.

A shard survives the failure of the process or the machine: without results it is to be done again, and no output is
ever half-written.
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
"""The number of threads that fetch pictures and write outputs."""
_OF_COMMAND = ".cwic"
_TEMPORARY = "cwic-batch-"


class Task(NamedTuple):
    """One picture for a coder.

    Attributes:
        number: the number of the task.
        source: the path of a local file.
        output: a path with the name of the output. The coder never writes it.
    """

    number: int
    source: str
    output: str


class Coded(NamedTuple):
    """The result of a task: the bytes of the output, or None and an error. Other fields are as in `Row`."""

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
"""The numbers of tasks with their results. Closing the generator ends the work at once."""


class Coder(Protocol):
    """A coder of pictures. It can be sent to another machine before it is used, and keeps its model loaded."""

    name: str
    """A name that distinguishes it from other coders."""
    at_a_time: int
    """The number of tasks that it works on at a time."""

    def coded(self, tasks: Iterable[Task]) -> Coding:
        """Code tasks, taken one by one. Yields their numbers and results, in any order."""


class Counts(NamedTuple):
    """The numbers of pictures of a shard that were coded, that failed, and that were left as they were."""

    coded: int
    failed: int
    kept: int


def do_shard(shard: str, target: str, coder: Coder, *, is_fresh: bool, force: bool) -> Counts:
    """Code the pictures of a shard, and write its results. Do nothing if its results are there already.

    Args:
        shard: the name of the shard.
        target: the folder or URL of the outputs, with the manifest.
        coder: the coder.
        is_fresh: True if the target was empty when the listing was made.
        force: replace outputs that are not of this run.

    Raises:
        StoreError: the store does not answer or is full; then the shard is not done.
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
    """A temporary folder of this process. Entering it also removes the folders of processes that were killed."""

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
        return True  # on other systems, the same call would end the process
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


@dataclass
class _Work:
    """The work on the pictures of a shard that are to be coded."""

    entries: list[Entry]
    target: Target
    folder: str
    since: float | None
    """The time when the run began: an older output is not its own. None if the target was empty before."""
    force: bool
    """Replace outputs that are not of this run."""
    own: set[str]
    """The outputs that are known to be of this run."""
    at_a_time: int
    done: list[Row] = field(default_factory=list)

    def rows(self, coder: Coder) -> list[Row]:
        """Do all the work, and return the results."""
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
        """Yield the tasks for the coder, with some fetched ahead. A picture that cannot be fetched fails at once."""
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
        """Raise OutputExistsError or InputError for an existing output that must not be replaced."""
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
            if coded.data is not None:
                try:
                    self.target.write(entry.output, coded.data)
                except InputError as error:
                    return failed(entry, error)
            values = coded._asdict()
            data = values.pop("data") or b""  # of a failure there is none
            status = FAILED if coded.data is None else CODED
            return row_of(entry, status, bytes=len(data), crc=zlib.crc32(data), **values)
        finally:
            with suppress(OSError):
                shutil.rmtree(os.path.join(self.folder, str(number)))


def failed(entry: Entry, error: Exception) -> Row:
    """Return the row of a picture that could not be read or written."""
    code = error.exit_code if isinstance(error, CwicError) else 1
    text = " ".join(str(error).split())
    return row_of(entry, FAILED, error_type=type(error).__name__, error=text, exit_code=code)
