from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cwic.evaluation.cores import BLAS_VARIABLE, share_cores, threads_each
from cwic.threads import THREADS_VARIABLE, thread_count


@pytest.mark.parametrize(("jobs", "threads"), [(1, 7), (2, 3), (7, 1), (9, 1)])
def test_each_process_has_its_share(monkeypatch: pytest.MonkeyPatch, jobs: int, threads: int) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "7")
    assert threads_each(jobs) == threads


def test_a_process_takes_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "7")
    monkeypatch.setenv(BLAS_VARIABLE, "7")
    share_cores(3)
    assert thread_count() == 3
    assert os.environ[BLAS_VARIABLE] == "3"


def test_it_comes_before_numpy() -> None:
    script = "import sys, cwic.evaluation.cores; print('numpy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
