from __future__ import annotations

import numpy as np
import pytest

from cwic.entropy.grouping import INDEXES, grouped
from cwic.libraries import LIBRARY_VARIABLE, NONE, usable


@pytest.mark.parametrize("way", [NONE, *usable()])
@pytest.mark.parametrize("count", [0, 1, 7, 5000])
def test_positions_are_sorted_by_index_and_then_by_place(way: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, way)
    indexes = np.random.default_rng(count).integers(0, INDEXES, count).astype(np.uint8)
    order, ends = grouped(indexes)
    assert order.dtype == ends.dtype == np.int64
    assert order.tolist() == sorted(range(count), key=lambda i: (indexes[i], i))
    assert ends.tolist() == [int((indexes <= index).sum()) for index in range(INDEXES)]


@pytest.mark.parametrize("way", [NONE, *usable()])
def test_indexes_need_not_lie_side_by_side(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, way)
    indexes = np.array([3, 9, 1, 9, 3, 9], np.uint8)[::2]
    assert grouped(indexes)[0].tolist() == [1, 0, 2]
