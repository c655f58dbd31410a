"""Code several files at a time, in processes that take one file after another and keep the model loaded.

The processes read and code; the parent process writes. So it can end them at any moment and leave no half-written
file. Unlike in a pool of the standard library, the death of a process fails only the file that it worked on.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait

from cwic.cli.job import Job
from cwic.cli.outcome import Outcome, Work, attempt, failure
from cwic.errors import CwicError
from cwic.evaluation.cores import share_cores


class ProcessDiedError(CwicError):
    """A process ended while it worked on a file. The file need not be the cause."""


def in_processes(work: Work, jobs: Iterable[Job], processes: int, threads: int) -> Iterator[tuple[int, Outcome]]:
    """Do jobs in several processes.

    A process that dies fails its job, and another takes its place. All processes end when the iterator is closed.

    Args:
        work: does one job.
        jobs: the jobs.
        processes: the number of processes.
        threads: the threads of each process.

    Yields:
        The index of a job and its outcome, in the order in which they end.
    """
    with closing(Pool(work, processes, threads)) as pool:
        yield from pool.outcomes(jobs)


class Pool:
    """A pool of processes that outlives one run of jobs: idle processes keep their model for the next run."""

    def __init__(self, work: Work, processes: int, threads: int) -> None:
        self._work, self._processes, self._threads = work, processes, threads
        self._idle: list[_Worker] = []

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Outcome]]:
        """Do jobs; yields as `in_processes`. A job is taken from the iterable only when a process is free for it."""
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
    """One process and the connection to it."""

    def __init__(self, work: Work, threads: int) -> None:
        # Spawned, not forked: threads do not survive a fork, and numpy counts the cores when it is imported.
        context = multiprocessing.get_context("spawn")
        self.connection, its_end = context.Pipe()
        self.index = -1
        self.job = Job("", "")
        self._process = context.Process(target=_serve, args=(its_end, work, threads), daemon=True)
        with _interrupts_held():
            self._process.start()
        its_end.close()  # so that the death of the process ends the connection

    def give(self, index: int, job: Job) -> None:
        """Send a job to the process. If the process is dead, `take` returns None later."""
        self.index, self.job = index, job
        with suppress(OSError):
            self.connection.send(job)

    def take(self) -> Outcome | None:
        """Return the outcome of the job; None if the process died."""
        try:
            outcome: Outcome = self.connection.recv()
            return outcome
        except (EOFError, OSError):
            return None

    def death(self) -> CwicError:
        """Return the cause of the death as an error, as far as it is known. Call `end` first."""
        code = self._process.exitcode or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ProcessDiedError(f"its process {how}; if memory ran out, fewer --jobs take less")

    def is_alive(self) -> bool:
        """Return whether the process can take a job."""
        return self._process.is_alive()

    def end(self) -> None:
        """End the process at once, if it has not ended by itself."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, work: Work, threads: int) -> None:
    """Do the jobs that come over a connection, until its other end closes. This runs in the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems on which `_interrupts_held` cannot block it
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
    """Block SIGINT, so that a process started inside never receives Ctrl-C: its parent ends it instead."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with suppress(ImportError):
        from multiprocessing.resource_tracker import ensure_running

        ensure_running()  # it unblocks all signals when it starts, so it must start before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
