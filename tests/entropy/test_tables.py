from __future__ import annotations

import math

import numpy as np
import pytest

from cwic.entropy.tables import MAX_REACH, TOTAL, Tables, frequencies_of, gaussian_tables
from cwic.errors import ModelError

SCALES = np.geomspace(0.11, 256, 64)


def test_gaussian_tables_are_the_gaussian() -> None:
    tables = gaussian_tables(SCALES)
    assert len(tables) == 64
    for index, scale in enumerate(SCALES):
        row, reach = tables[index], int(tables.reaches[index])
        assert len(row) == 2 * reach + 2
        assert row.sum() == TOTAL
        assert row.min() >= 1
        assert np.abs(row[:-1] - row[-2::-1]).max() <= 1  # symmetric but for rounding
        edges = [math.erf((k - 0.5) / (scale * math.sqrt(2))) for k in range(1, reach + 2)]
        expected = np.diff(edges) / 2 * TOTAL
        assert row[reach + 1 : -1] == pytest.approx(expected, rel=2e-4, abs=2)
        assert row[reach] == pytest.approx(edges[0] * TOTAL, rel=2e-4)


def test_coding_costs_no_more_than_the_entropy() -> None:
    """The tables' expected length is within 0.01 % + 1e-5 bit of the Gaussian's entropy."""
    tables = gaussian_tables(SCALES)
    for index, scale in enumerate(SCALES):
        k = np.arange(-int(tables.reaches[index]), int(tables.reaches[index]) + 1)
        edges = np.array([math.erf(x / (scale * math.sqrt(2))) for x in np.append(k - 0.5, k[-1] + 0.5)])
        p = np.diff(edges) / 2
        cost = -np.sum(p * np.log2(tables[index][:-1] / TOTAL))
        entropy = -np.sum(p[p > 0] * np.log2(p[p > 0]))
        assert cost - entropy < 1e-4 * entropy + 1e-5


def test_golden_row() -> None:
    side = [22643, 6, 1, 1, 1, 1, 1]
    assert gaussian_tables([0.5])[0].tolist() == [
        *side[::-1][:-1],
        22644,
        2639144,
        11453618,
        2639144,
        *side,
        1,
    ]


def test_arrays_round_trip_and_join() -> None:
    tables = gaussian_tables([0.2, 3.0])
    again = Tables.from_arrays(tables.to_arrays())
    assert np.array_equal(again.frequencies, tables.frequencies)
    assert np.array_equal(again.offsets, tables.offsets)
    joined = Tables.from_rows([*tables, *gaussian_tables([40.0])])
    assert len(joined) == 3
    assert np.array_equal(joined[2], gaussian_tables([40.0])[0])


def test_read_only() -> None:
    tables = gaussian_tables([1.0])
    with pytest.raises(ValueError, match="read-only"):
        tables.frequencies[0] = 2


def test_smallest_and_largest() -> None:
    assert Tables.from_rows([np.array([TOTAL - 1, 1], np.int32)]).reaches.tolist() == [0]
    assert gaussian_tables([1e5]).reaches.tolist() == [MAX_REACH]


@pytest.mark.parametrize(
    ("frequencies", "offsets"),
    [
        ([], [0]),
        ([], []),
        ([TOTAL - 1, 1], [0]),
        ([TOTAL - 1, 1], [0, 1]),
        ([TOTAL - 1, 1], [0, 3]),
        ([TOTAL - 1, 1], [0, 0, 2]),
        ([TOTAL - 1, 1], [1, 2]),
        ([TOTAL - 2, 1, 1], [0, 3]),
        ([TOTAL, 0], [0, 2]),
        ([TOTAL + 1, -1], [0, 2]),
        ([TOTAL - 1, 2], [0, 2]),
        ([TOTAL - 1, 1, TOTAL - 1, 1], [0, 4, 2, 4]),
        ([TOTAL - 1.0, 1.0], [0, 2]),
        ([(1 << 32) + TOTAL - 1, 1], [0, 2]),
        ([[TOTAL - 1, 1]], [0, 2]),
        ([TOTAL - 1, 1] * 257, list(range(0, 515, 2))),
        ([TOTAL - 2 * MAX_REACH - 3] + [1] * (2 * MAX_REACH + 3), [0, 2 * MAX_REACH + 4]),
    ],
)
def test_not_tables(frequencies: list[int], offsets: list[int]) -> None:
    with pytest.raises(ModelError, match="damaged tables"):
        Tables(np.array(frequencies), np.array(offsets))


def test_missing_array() -> None:
    with pytest.raises(ModelError, match="offsets"):
        Tables.from_arrays({"frequencies": np.array([TOTAL - 1, 1])})


def test_frequencies_of() -> None:
    assert frequencies_of([1, 2, 1], escape=0).tolist() == [TOTAL // 4, TOTAL // 2 - 1, TOTAL // 4, 1]
    assert frequencies_of([0, 1, 0], escape=0).tolist() == [1, TOTAL - 3, 1, 1]


def test_bits() -> None:
    half = frequencies_of([0.25, 0.25, 0.25], escape=0.25)
    tables = Tables.from_rows([half, half])
    symbols = np.array([0, 1, -1, 2, -32768, 0, 0], np.int32)
    indexes = np.array([1, 1, 1, 1, 1, 0, 0], np.uint8)
    assert tables.bits(symbols, indexes) == 5 * 2 + 2 * 16
    assert tables.bits(symbols[:0], indexes[:0]) == 0


def test_least_bits_are_those_of_the_likeliest_symbol() -> None:
    tables = gaussian_tables(SCALES)
    assert tables.least_bits[0] == 0  # not coded
    for index in (1, 30, 63):
        assert tables.least_bits[index] == pytest.approx(24 - math.log2(tables[index].max()))
