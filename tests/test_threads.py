from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cwic import threads
from cwic.threads import THREADS_VARIABLE, at_work, in_bands, thread_count


@pytest.mark.parametrize(("asked", "count"), [("3", 3), ("1", 1)])
def test_the_variable_decides(asked: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, asked)
    assert thread_count() == count


@pytest.mark.parametrize("asked", ["", "0", "-2", "many", "1.5", "²"])
def test_anything_else_is_one_for_each_processor(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, asked)
    assert 1 <= thread_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("count", ["1", "2", "5"])
@pytest.mark.parametrize(("height", "rows"), [(1, 1), (32, 5), (3, 100), (100, 36)])
def test_bands_make_up_the_rows(count: str, height: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, count)
    seen = np.zeros(height, int)

    def work(first: int, last: int) -> None:
        assert 0 < last - first <= rows
        seen[first:last] += 1

    in_bands(height, rows, work)
    assert (seen == 1).all()


def test_several_bands_are_in_work_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    both = threading.Barrier(2, timeout=10)
    in_bands(2, 1, lambda *_: both.wait())


def test_a_thread_at_work_takes_the_place_of_a_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    ready, done = threading.Event(), threading.Event()

    def other() -> None:
        with at_work():
            ready.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(10)
    seen: set[int] = set()
    in_bands(50, 1, lambda *_: seen.add(threading.get_ident()))
    done.set()
    thread.join()
    assert seen == {threading.get_ident()}
    both = threading.Barrier(2, timeout=10)
    with at_work():  # this thread counts once, so one can help it
        in_bands(2, 1, lambda *_: both.wait())


def test_an_error_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    with pytest.raises(ZeroDivisionError):
        in_bands(8, 1, lambda first, _: 1 // (first - 5))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be kept off a processor here")
def test_helpers_keep_off_the_processor_of_their_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.sched_getaffinity(0)
    if len(here) < 2:
        pytest.skip("there is one processor")
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    both = threading.Barrier(2, timeout=10)
    for processor in sorted(here)[:2]:
        monkeypatch.setattr(threads, "_current_processor", lambda processor=processor: processor)
        for _ in range(2):  # the first call may start the helper
            in_bands(2, 1, lambda *_: both.wait())
        assert threads._helper_ids
        assert all(os.sched_getaffinity(helper) == here - {processor} for helper in threads._helper_ids)
    assert os.sched_getaffinity(0) == here


class _NoPool:
    def submit(self, *_: object) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")


def test_a_caller_works_alone_where_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    monkeypatch.setattr(threads, "_helpers", _NoPool)
    seen = np.zeros(10, int)

    def work(first: int, last: int) -> None:
        seen[first:last] += 1

    in_bands(10, 3, work)
    assert (seen == 1).all()


def test_a_thread_may_outlive_the_main_thread() -> None:
    script = """
import threading, time
from cwic.threads import in_bands

def go():
    for _ in range(3):
        in_bands(4, 1, lambda *_: None)
        time.sleep(0.3)
    print("done")

threading.Thread(target=go).start()
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), THREADS_VARIABLE: "2"}
    answer = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "done\n", "")
