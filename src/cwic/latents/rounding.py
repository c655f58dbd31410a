"""Rounding in the encoder: the nearest integer, or the next one towards zero where its bits are worth more.

Any choice decodes exactly, so this is free to change. What a choice does to later contexts is not looked at.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cwic.entropy.tables import PRECISION, Tables

CONSIDERED = 64
"""Magnitudes from here on are rounded to the nearest: there one step costs next to no bits."""
ESCAPE_BITS = 16.0


def symbol_costs(tables: Tables) -> Tensor:
    """Bits of the magnitudes 0 ... CONSIDERED - 1 under each table: float64 `[tables, CONSIDERED]`."""
    costs = np.empty((len(tables), CONSIDERED))
    for index, reach in enumerate(tables.reaches):
        bits = PRECISION - np.log2(tables[index])
        side = bits[reach : 2 * reach + 1][:CONSIDERED]
        costs[index] = bits[-1] + ESCAPE_BITS
        costs[index, : len(side)] = side
    return torch.from_numpy(costs)


class CostRounding:
    """Minimises bits plus weighted squared error, symbol by symbol, between the two integers next to a value."""

    def __init__(self, tables: Tables) -> None:
        self._costs = symbol_costs(tables)

    def __call__(self, values: Tensor, indexes: Tensor, weight: Tensor) -> Tensor:
        """Integers (as float64) for `values` in quantisation steps.

        `indexes` are scale indexes of the same shape, `weight` the bits that a squared error of one step is worth.
        """
        costs = self._costs.to(values.device)
        magnitude, index = values.abs(), indexes.long()
        nearest = magnitude.round()
        lower = (nearest - 1).clamp_min(0)
        entry = nearest.long().clamp_max(CONSIDERED - 1)
        saved = costs[index, entry] - costs[index, (entry - 1).clamp_min(0)]
        added = weight * ((magnitude - lower).square() - (magnitude - nearest).square())
        chosen = torch.where((saved > added) & (nearest < CONSIDERED), lower, nearest)
        return chosen * values.sign()
