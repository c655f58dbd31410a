"""Fit probability tables to the symbols that a model really writes; run at export.

Training assumes Gaussians; the symbols that quantisation leaves have more zeros and longer tails.
"""

from __future__ import annotations

import numpy as np

from cwic.entropy.tables import TOTAL, Tables, frequencies_of

TRUST = 100
"""A table entry starts with this many imagined symbols, shared out as the table that is refined has them."""


class SymbolCounter:
    """Takes symbols as `cwic.entropy.coder.SymbolEncoder` does, and counts them instead of coding them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._counts = [np.zeros(reach + 2, np.int64) for reach in tables.reaches]

    def encode(self, symbols: np.ndarray, indexes: np.ndarray) -> None:
        """Counts `symbols` (int32 [n]) under their `indexes` (uint8 [n]), by magnitude."""
        for index in np.unique(indexes):
            magnitudes = np.abs(symbols[indexes == index])
            counts = self._counts[index]
            counts += np.bincount(np.minimum(magnitudes, len(counts) - 1), minlength=len(counts))

    def finish(self) -> bytes:
        """Nothing was coded."""
        return b""

    def tables(self) -> Tables:
        """The tables with the counts mixed in: symmetrical, of the same reaches."""
        return Tables.from_rows(
            _mixed(self._tables[index], counts) if counts.any() else self._tables[index]
            for index, counts in enumerate(self._counts)
        )


def _mixed(row: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """A table of reach L from the one before and counts of the magnitudes 0 ... L and beyond."""
    reach = len(counts) - 2
    weights = row * (TRUST * len(row) / TOTAL)
    magnitudes = np.abs(np.arange(-reach, reach + 1))
    weights[:-1] += counts[magnitudes] * np.where(magnitudes == 0, 1.0, 0.5)
    weights[-1] += counts[-1]
    return frequencies_of(list(weights[:-1]), escape=float(weights[-1]))
