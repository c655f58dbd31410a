"""The encoder's rounding: to the nearest integer, or to the next one towards zero if that saves enough bits.

Any choice decodes exactly, so encoders may round otherwise. Decoders round for plain tiles alone, with a fixed weight
(docs/format.md, section 8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cwic.entropy.tables import Tables

ERROR_WEIGHT = 22.0
"""Bits that a squared error of one quantisation step is worth; by trial (docs/experiments.md).

Where trained gains are what an ideal coder of high rate would use, it is 6 / ln 2 = 8.7 in the loss; in `cwic-s` it is
9 to 15. Zeros also impoverish later contexts: so errors weigh more.
"""
CONSIDERED = 64
"""Larger magnitudes are rounded to the nearest: there one step costs next to no bits."""
ESCAPE_BITS = 16.0


def round_by_cost(
    values: NDArray[np.floating], costs: NDArray[np.float64], tables: NDArray[np.uint8], weight: float
) -> NDArray[np.floating]:
    """Of the two integers around each value (in steps), as floats, the one with fewer bits plus weighted error.

    Args:
        values: means removed, of any shape.
        costs: what `symbol_costs` gives.
        tables: the number of each value's table, of the same shape.
        weight: bits that a squared error of one step is worth; infinite to round to the nearest.
    """
    if weight == np.inf:
        return np.rint(values)
    shape, values, tables = values.shape, values.reshape(-1), tables.reshape(-1)
    rounded = np.rint(values)
    nearest = np.abs(rounded)
    # Values near zero are zero, and large ones are rounded to the nearest: neither has a choice.
    where = np.flatnonzero((nearest > 0) & (nearest < CONSIDERED))
    nearest, table = nearest[where], tables[where]
    index = nearest.astype(np.intp)
    saved = costs[table, index] - costs[table, index - 1]
    beyond = np.abs(values[where]) - nearest
    added = weight * (2 * beyond + 1)
    rounded[where] = np.copysign(nearest - (saved > added), values[where])
    return rounded.reshape(shape)


def symbol_costs(tables: Tables) -> NDArray[np.float64]:
    """Bits of the magnitudes 0 ... CONSIDERED - 1 under each table: `[tables, CONSIDERED]`."""
    # Imported here because training rounds too, and has no need of an entropy coder.
    from cwic.entropy.tables import PRECISION

    costs = np.empty((len(tables), CONSIDERED))
    for index, reach in enumerate(tables.reaches):
        bits = PRECISION - np.log2(tables[index])
        side = bits[reach : 2 * reach + 1][:CONSIDERED]
        costs[index] = bits[-1] + ESCAPE_BITS
        costs[index, : len(side)] = side
    return costs


def cost_slopes(costs: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bits per step of each magnitude, half the difference between the next magnitude and the one before it.

    The slope at zero is zero, since 1 and -1 cost the same.

    Args:
        costs: what `symbol_costs` gives, `[tables, CONSIDERED]`.
    """
    slopes = np.zeros(costs.shape, np.float32)
    slopes[:, 1:-1] = (costs[:, 2:] - costs[:, :-2]) / 2
    slopes[:, -1] = slopes[:, -2]
    return slopes
