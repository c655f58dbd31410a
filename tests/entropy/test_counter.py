"""Fitted tables: valid, symmetrical, better on what they were fitted to, and unchanged where nothing was seen."""

from __future__ import annotations

import numpy as np

from cwic.entropy.counter import SymbolCounter
from cwic.entropy.tables import TOTAL, gaussian_tables

BASE = gaussian_tables([0.11, 0.4, 1.0, 3.0])


def _laplacian(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    indexes = random.integers(1, 3, count).astype(np.uint8)
    symbols = np.rint(random.laplace(0, np.where(indexes == 1, 0.15, 0.5), count)).astype(np.int32)
    return symbols, indexes


def test_fitted_tables_are_shorter_on_what_they_saw() -> None:
    symbols, indexes = _laplacian(100_000)
    counter = SymbolCounter(BASE)
    for part in range(0, len(symbols), 10_000):
        counter.encode(symbols[part : part + 10_000], indexes[part : part + 10_000])
    fitted = counter.tables()
    assert fitted.bits(symbols, indexes) < 0.97 * BASE.bits(symbols, indexes)
    assert counter.finish() == b""


def test_fitted_tables_are_symmetrical_and_of_the_same_reach() -> None:
    counter = SymbolCounter(BASE)
    counter.encode(*_laplacian(1000))
    fitted = counter.tables()
    assert np.array_equal(fitted.reaches, BASE.reaches)
    for index in range(len(fitted)):
        row = fitted[index].astype(np.int64)
        # Rounding to a total of 2^24 may favour one side by a unit.
        assert np.abs(row[:-1] - row[-2::-1]).max() <= 1
        assert row.sum() == TOTAL


def test_a_table_that_saw_nothing_stays() -> None:
    counter = SymbolCounter(BASE)
    counter.encode(*_laplacian(1000))
    assert np.array_equal(counter.tables()[3], BASE[3])
    assert not np.array_equal(counter.tables()[1], BASE[1])


def test_symbols_beyond_the_reach_make_escapes_likelier() -> None:
    counter = SymbolCounter(BASE)
    counter.encode(np.full(500, -1000, np.int32), np.full(500, 2, np.uint8))
    assert counter.tables()[2][-1] > 100 * BASE[2][-1]


def test_what_is_seen_weighs_as_much_as_what_was_assumed_after_a_hundred_symbols_an_entry() -> None:
    counter = SymbolCounter(BASE)
    seen = 100 * len(BASE[2])
    counter.encode(np.zeros(seen, np.int32), np.full(seen, 2, np.uint8))
    row, before = counter.tables()[2], BASE[2]
    centre = BASE.reaches[2]
    assert abs(int(row[centre]) - (int(before[centre]) + TOTAL) / 2) < 100
    assert abs(int(row[centre + 1]) - int(before[centre + 1]) / 2) < 100
