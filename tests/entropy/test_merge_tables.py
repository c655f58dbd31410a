from __future__ import annotations

import numpy as np
import pytest

from cwic.entropy.merge_tables import merge_tables


def normal(scale: float) -> np.ndarray:
    x = np.arange(-10, 11)
    row = np.exp(-0.5 * (x / scale) ** 2)
    return row / row.sum()


def test_each_keeps_its_own_while_there_are_enough() -> None:
    rows = np.array([normal(s) for s in (1.0, 1.0, 3.0)])
    shared, choice = merge_tables(rows, 3)
    np.testing.assert_allclose(shared, rows)
    assert choice.tolist() == [0, 1, 2]


def test_the_most_alike_share() -> None:
    scales = [1.0, 3.0, 1.02, 0.4, 3.1, 0.41, 0.99]
    shared, choice = merge_tables(np.array([normal(s) for s in scales]), 3)
    groups = {tuple(np.flatnonzero(choice == i)) for i in range(3)}
    assert groups == {(0, 2, 6), (1, 4), (3, 5)}
    np.testing.assert_allclose(shared[choice[1]], (normal(3.0) + normal(3.1)) / 2)
    np.testing.assert_allclose(shared.sum(axis=1), 1)


@pytest.mark.parametrize("most", [1, 2, 40])
def test_no_more_than_asked_for(most: int) -> None:
    rows = np.random.default_rng(0).random((50, 5)) + 0.01
    shared, choice = merge_tables(rows, most)
    assert len(shared) == most
    assert set(choice) == set(range(most))


def test_sharing_among_many_like_rows_costs_next_to_nothing() -> None:
    rows = np.array([normal(s) for s in np.geomspace(0.3, 4, 320)])
    shared, choice = merge_tables(rows, 192)
    own, common = (-(rows * np.log2(q)).sum() for q in (rows, shared[choice]))
    assert common / own - 1 < 1e-4
