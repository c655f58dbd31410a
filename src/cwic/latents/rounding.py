"""Rounding as the encoder does it: the nearest integer, or the next one towards zero where its bits are worth more.

Any choice decodes exactly, so this is free to change. What a choice does to later contexts is not looked at, but for
errors weighing a little more than the loss says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from cwic.entropy.tables import Tables

ERROR_WEIGHT = 22.0
"""Bits that a squared error of one quantisation step is worth; by trial (docs/training.md).

Where trained gains are what an ideal coder of high rate would use, it is 6 / ln 2 = 8.7 in the loss; in `cwic-s` it is
9 to 15. Zeros also impoverish later contexts: so errors weigh more.
"""
CONSIDERED = 64
"""Larger magnitudes are rounded to the nearest: there one step costs next to no bits."""
ESCAPE_BITS = 16.0


def round_by_cost(values: Tensor, bits: Callable[[Tensor], Tensor], weight: Tensor | float = ERROR_WEIGHT) -> Tensor:
    """Of the two integers around each value (in steps), as floats, the one with fewer `bits` plus weighted error.

    `bits` gives the cost of integer magnitudes of the shape of `values`; `weight` broadcasts to it.
    """
    magnitude = values.abs()
    nearest = magnitude.round()
    lower = (nearest - 1).clamp_min(0)
    saved = bits(nearest) - bits(lower)
    added = weight * ((magnitude - lower).square() - (magnitude - nearest).square())
    return torch.where(saved > added, lower, nearest) * values.sign()


def symbol_costs(tables: Tables) -> Tensor:
    """Bits of the magnitudes 0 ... CONSIDERED - 1 under each table: float64 `[tables, CONSIDERED]`."""
    # Imported here because training rounds too, and has no need of an entropy coder.
    from cwic.entropy.tables import PRECISION

    costs = np.empty((len(tables), CONSIDERED))
    for index, reach in enumerate(tables.reaches):
        bits = PRECISION - np.log2(tables[index])
        side = bits[reach : 2 * reach + 1][:CONSIDERED]
        costs[index] = bits[-1] + ESCAPE_BITS
        costs[index, : len(side)] = side
    return torch.from_numpy(costs)
