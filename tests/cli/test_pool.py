from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from time import monotonic

import pytest

from cwic.cli.job import Job
from cwic.cli.outcome import Work
from cwic.cli.pool import in_processes

WORK = """
import os, signal, time
from cwic.cli.outcome import Made
from cwic.errors import FormatError
from cwic.threads import thread_count

class Work:
    seen = 0
    def __call__(self, job):
        self.seen += 1
        if job.source == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if job.source == "exit":
            raise SystemExit(3)
        if job.source == "bad":
            raise FormatError("bad")
        if job.source == "sleep":
            time.sleep(600)
        return Made({"pid": os.getpid(), "seen": self.seen, "threads": thread_count()}, memoryview(job.source.encode()))
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Work that another process can import."""
    (tmp_path / "work_for_pool.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    from work_for_pool import Work as Found  # type: ignore[import-not-found]

    made: Work = Found()
    return made


def _jobs(names: str) -> list[Job]:
    return [Job(name, "out") for name in names.split()]


def test_processes_take_one_file_after_the_other(work: Work) -> None:
    outcomes = dict(in_processes(work, _jobs("a b c bad d"), 2, threads=3))
    assert sorted(outcomes) == [0, 1, 2, 3, 4]
    assert (outcomes[3].said, outcomes[3].made, outcomes[3].exit_code) == (["cwic: bad: bad"], None, 3)
    made = [outcomes[index].made for index in (0, 1, 2, 4)]
    assert [found and found.data for found in made] == [b"a", b"b", b"c", b"d"]
    pids = {found.record["pid"] for found in made if found}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert {found.record["threads"] for found in made if found} == {3}
    assert max(found.record["seen"] for found in made if found) >= 2
    assert not multiprocessing.active_children()


def test_a_process_that_dies_fails_its_own_file(work: Work) -> None:
    outcomes = dict(in_processes(work, _jobs("die a exit die b"), 1, threads=1))
    assert sorted(outcomes) == [0, 1, 2, 3, 4]
    for index in (0, 3):
        assert outcomes[index].said[0].startswith("cwic: die: its process was ended by signal 9")
        assert outcomes[index].exit_code == 1
    assert outcomes[2].exit_code == 1
    assert [outcomes[index].made is not None for index in (1, 4)] == [True, True]


def test_closing_ends_all_at_once(work: Work) -> None:
    running = in_processes(work, _jobs("sleep a sleep"), 2, threads=1)
    assert next(running)[0] == 1
    start = monotonic()
    running.close()  # type: ignore[attr-defined]
    assert monotonic() - start < 30
    assert not multiprocessing.active_children()
