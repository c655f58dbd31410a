"""Code several files at a time, in processes that take one file after another and keep the model loaded.

The processes read and code, and this one writes. So it can end them at any moment without half-done files. Unlike in a
pool of the standard library, a process that dies takes no file with it but its own.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait

from cwic.cli.outcome import Outcome, Work, attempt, failure
from cwic.cli.plan import Job
from cwic.errors import CwicError
from cwic.evaluation.cores import share_cores


class ProcessDiedError(CwicError):
    """A process ended while it worked on a file, which need not be the fault of the file."""


def in_processes(work: Work, jobs: Iterable[Job], processes: int, threads: int) -> Iterator[tuple[int, Outcome]]:
    """Does the work of each job in one of that many processes, of that many threads each.

    Yields the index of a job and its outcome, in the order in which they end. A process that dies fails its job, and
    another takes its place. All of them end when the iterator is closed.
    """
    with closing(Pool(work, processes, threads)) as pool:
        yield from pool.outcomes(jobs)


class Pool:
    """Processes for more than one run of jobs: those of a run that is over wait, with their model, for the next."""

    def __init__(self, work: Work, processes: int, threads: int) -> None:
        self._work, self._processes, self._threads = work, processes, threads
        self._idle: list[_Worker] = []

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Outcome]]:
        """As `in_processes`. Jobs are taken when a process is free for them, and may come into being then."""
        waiting = iter(enumerate(jobs))
        workers: list[_Worker] = []
        try:
            for index, job in islice(waiting, self._processes):
                workers.append(self._worker())
                workers[-1].give(index, job)
            while workers:
                ready = wait([worker.connection for worker in workers])
                for worker in [worker for worker in workers if worker.connection in ready]:
                    index, job, outcome = worker.index, worker.job, worker.take()
                    is_dead = outcome is None
                    workers.remove(worker)
                    if is_dead:
                        worker.end()
                    else:
                        self._idle.append(worker)
                    following = next(waiting, None)
                    if following is not None:
                        # The next job is given before what was made of this one is written.
                        workers.append(self._worker())
                        workers[-1].give(*following)
                    yield index, outcome or failure([], job, worker.death())
        finally:
            for worker in workers:
                worker.end()

    def close(self) -> None:
        """End all processes."""
        for worker in self._idle:
            worker.end()
        self._idle = []

    def _worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive():
                return worker
            worker.end()
        return _Worker(self._work, self._threads)


class _Worker:
    """One process and the way to it."""

    def __init__(self, work: Work, threads: int) -> None:
        # Started anew: threads do not survive a fork, and numpy counts the cores when it is imported.
        context = multiprocessing.get_context("spawn")
        self.connection, its_end = context.Pipe()
        self.index = -1
        self.job = Job("", "")
        self._process = context.Process(target=_serve, args=(its_end, work, threads), daemon=True)
        with _interrupts_held():
            self._process.start()
        its_end.close()  # so that its death ends the connection

    def give(self, index: int, job: Job) -> None:
        """A job to work on. If the process is dead, `take` says so."""
        self.index, self.job = index, job
        with suppress(OSError):
            self.connection.send(job)

    def take(self) -> Outcome | None:
        """The outcome of the job, None if the process died."""
        try:
            outcome: Outcome = self.connection.recv()
            return outcome
        except (EOFError, OSError):
            return None

    def death(self) -> CwicError:
        """Why it died, as far as that is known, after its end."""
        code = self._process.exitcode or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ProcessDiedError(f"its process {how}; if memory ran out, fewer --jobs take less")

    def is_alive(self) -> bool:
        """Whether it can take a job."""
        return self._process.is_alive()

    def end(self) -> None:
        """Ends it at once, if it has not ended by itself."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, work: Work, threads: int) -> None:
    """Serve tasks in a process until the sender is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back
    share_cores(threads)  # before numpy is imported
    with suppress(EOFError, OSError):
        while True:
            job = connection.recv()
            try:
                outcome = attempt(work, job)
            except BaseException as error:
                outcome = failure([], job, error)
            if outcome.made is not None and isinstance(outcome.made.data, memoryview):
                outcome = outcome._replace(made=outcome.made._replace(data=bytes(outcome.made.data)))
            connection.send(outcome)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started inside never hears of Ctrl-C: the one that started it ends it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with suppress(ImportError):
        from multiprocessing.resource_tracker import ensure_running

        ensure_running()  # it lets go of all signals when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
