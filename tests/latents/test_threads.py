from __future__ import annotations

import threading

import numpy as np
import pytest

from cwic.latents.threads import BAND_POSITIONS, in_bands
from cwic.threads import THREADS_VARIABLE


@pytest.mark.parametrize("threads", ["1", "2", "5"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (32, 48), (3, 5000), (100, 7)])
def test_bands_make_up_the_rows(threads: str, height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, threads)
    seen = np.zeros(height, int)

    def work(first: int, last: int) -> None:
        assert (last - first) * width <= max(BAND_POSITIONS, width)
        seen[first:last] += 1

    in_bands(height, width, work)
    assert (seen == 1).all()


def test_several_bands_are_in_work_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    both = threading.Barrier(2, timeout=10)
    in_bands(2, BAND_POSITIONS, lambda *_: both.wait())


def test_an_error_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    with pytest.raises(ZeroDivisionError):
        in_bands(8, BAND_POSITIONS, lambda first, _: 1 // (first - 5))
