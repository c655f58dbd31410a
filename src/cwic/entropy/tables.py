"""Integer frequency tables: the probabilities that symbols are coded with (docs/format.md, section 5.1).

A table is made when a model is exported and kept with its weights. At run time nothing here computes a
probability, so no libm, rounding mode or processor can change a byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from cwic.errors import ModelError

PRECISION = 24
TOTAL = 1 << PRECISION
MAX_TABLES = 256
MAX_REACH = (1 << 15) - 1


class Tables:
    """Up to 256 tables, numbered by scale index. The table of reach L has 2 L + 2 frequencies: of the symbols
    -L ... L in order, then of the escape. Each is at least 1 and together they make TOTAL = 2**24.

    frequencies: int32, all tables one after another; offsets: int32 [tables + 1], where each begins.
    reaches: int32 [tables], each table's L. least_bits: float64 [tables], what the likeliest symbol of each costs.
    All are read-only. Compared and hashed by identity.

    Raises ModelError if the arrays are not tables.
    """

    def __init__(self, frequencies: np.ndarray, offsets: np.ndarray) -> None:
        self.frequencies = _integers(frequencies, "frequencies")
        self.offsets = _integers(offsets, "offsets")
        sizes = np.diff(self.offsets)
        size = len(self.frequencies)
        if not 1 <= len(sizes) <= MAX_TABLES or self.offsets[0] != 0 or self.offsets[-1] != size:
            raise ModelError(f"damaged tables: offsets do not divide {size} frequencies")
        if np.any(sizes < 2) or np.any(sizes % 2) or np.any(sizes > 2 * MAX_REACH + 2):
            raise ModelError("damaged tables: a table's size is not 2 L + 2")
        sums = np.add.reduceat(self.frequencies, self.offsets[:-1], dtype=np.int64)
        if np.any(self.frequencies < 1) or np.any(sums != TOTAL):
            raise ModelError(f"damaged tables: frequencies must be positive and make {TOTAL} in each table")
        self.reaches = sizes // 2 - 1
        self.least_bits = PRECISION - np.log2(np.maximum.reduceat(self.frequencies, self.offsets[:-1]))
        self.least_bits[0] = 0  # symbols of index 0 are not coded
        for array in (self.frequencies, self.offsets, self.reaches, self.least_bits):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.reaches)

    def __getitem__(self, index: int) -> np.ndarray:
        """The frequencies of one table, int32 [2 L + 2]."""
        return self.frequencies[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        """The frequencies of every table: `Tables.from_rows([*a, *b])` joins two."""
        return (self[index] for index in range(len(self)))

    @classmethod
    def from_rows(cls, rows: Iterable[np.ndarray]) -> Tables:
        """Tables from one array of frequencies each."""
        rows = list(rows)
        offsets = np.cumsum([0, *map(len, rows)])
        return cls(np.concatenate(rows) if rows else np.zeros(0, np.int32), offsets)

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Tables:
        """The inverse of `to_arrays`. Raises ModelError if an array is missing or not valid."""
        try:
            return cls(arrays["frequencies"], arrays["offsets"])
        except KeyError as error:
            raise ModelError(f"damaged tables: no array called {error}") from error

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are kept with the weights."""
        return {"frequencies": self.frequencies, "offsets": self.offsets}

    def bits(self, symbols: np.ndarray, indexes: np.ndarray) -> float:
        """Ideal length of `symbols` (int [n]) coded with the tables of `indexes` (uint8 [n]), with escapes.

        Symbols of index 0 are not coded and cost nothing.
        """
        coded = indexes != 0
        symbols, indexes = symbols[coded].astype(np.int32), indexes[coded]
        reach = self.reaches[indexes]
        escaped = np.abs(symbols) > reach
        entries = np.where(escaped, 2 * reach + 1, symbols + reach)
        frequencies = self.frequencies[self.offsets[indexes] + entries]
        return float(np.sum(PRECISION - np.log2(frequencies)) + 16 * np.count_nonzero(escaped))


def frequencies_of(probabilities: Sequence[float], escape: float) -> np.ndarray:
    """One table, int32 [2 L + 2], from the probabilities of -L ... L and of the escape, in any unit.

    Each gets 1, and its share of what remains of TOTAL; the largest remainders are rounded up.
    """
    weights = np.array([*probabilities, escape], np.float64)
    shares = weights / weights.sum() * (TOTAL - len(weights))
    frequencies = np.floor(shares).astype(np.int32)
    left_over = TOTAL - len(weights) - frequencies.sum()
    frequencies[np.argsort(frequencies - shares, kind="stable")[:left_over]] += 1
    return np.asarray(frequencies + 1)


def gaussian_tables(scales: Sequence[float]) -> Tables:
    """One table per scale: a zero-mean Gaussian of that standard deviation over unit bins about the integers.

    The reach is 6 standard deviations and at least 8: what a learned scale underestimates stays cheaper
    than an escape.
    """
    return Tables.from_rows(_gaussian(scale) for scale in scales)


def _gaussian(scale: float) -> np.ndarray:
    reach = min(max(8, math.ceil(6 * scale)), MAX_REACH)

    # 2 P(x > k - 1/2). The complement keeps its relative precision in the tail, where 1 - erf has none.
    tails = [math.erfc((k - 0.5) / (scale * math.sqrt(2))) for k in range(1, reach + 2)]
    side = [(tails[k] - tails[k + 1]) / 2 for k in range(reach)]
    return frequencies_of([*reversed(side), 1 - tails[0], *side], escape=tails[reach])


def _integers(array: np.ndarray, name: str) -> np.ndarray:
    """A private int32 copy of one axis."""
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu" or array.max() > np.iinfo(np.int32).max:
        raise ModelError(f"damaged tables: {name} must be a list of 32-bit integers")
    return array.astype(np.int32)
