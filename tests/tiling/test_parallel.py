from __future__ import annotations

import threading
from time import sleep

import pytest

from cwic.threads import THREADS_VARIABLE, in_bands
from cwic.tiling.parallel import workers


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_order_is_kept(jobs: int) -> None:
    with workers(jobs) as each:
        assert list(each(lambda n: n * n, range(20))) == [n * n for n in range(20)]


def test_several_at_a_time() -> None:
    both = threading.Barrier(2, timeout=10)
    with workers(2) as each:
        assert len(list(each(lambda _: both.wait(), range(4)))) == 4


def test_threads_that_work_side_by_side_do_not_help_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    both = threading.Barrier(2, timeout=10)

    def work(_: int) -> set[int]:
        both.wait()
        seen: set[int] = set()
        in_bands(50, 1, lambda *_: seen.add(threading.get_ident()))
        both.wait()
        return seen

    with workers(2) as each:
        assert [len(seen) for seen in each(work, range(2))] == [1, 1]


def test_the_first_error_ends_the_work() -> None:
    done: list[int] = []

    def work(n: int) -> None:
        if n == 1:
            raise KeyError(n)
        sleep(0.01)
        done.append(n)

    def run() -> None:
        with workers(2) as each:
            list(each(work, range(200)))

    with pytest.raises(KeyError):
        run()
    assert len(done) < 100


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_are_positive(jobs: int) -> None:
    with pytest.raises(ValueError, match="jobs must be at least 1"), workers(jobs):
        pass
