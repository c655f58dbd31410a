from __future__ import annotations

import os

import pytest

from cwic.threads import THREADS_VARIABLE, thread_count


@pytest.mark.parametrize(("asked", "count"), [("3", 3), ("1", 1)])
def test_the_variable_decides(asked: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, asked)
    assert thread_count() == count


@pytest.mark.parametrize("asked", ["", "0", "-2", "many", "1.5"])
def test_anything_else_is_one_for_each_processor(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, asked)
    assert 1 <= thread_count() <= (os.cpu_count() or 1)
