"""Space the quality levels of a model, so that a quality means the same bytes as in another model.

A training for another measure moves the rates of levels by up to a third. All that depends on the level lies at knots,
so levels move when the knots take the values of other positions. Nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.errors import InputError
from cwic.latents.levels import KNOT_SPACING, KNOTS, MAX_LEVEL
from cwic.models.base import CodingModel, Floats, ModelData
from cwic.models.registry import make_model

LEVELS = (*range(0, MAX_LEVEL, KNOT_SPACING), MAX_LEVEL)
"""The levels whose bits are compared: those of the knots, and the last level in place of the last knot behind it."""
POSITIONS = np.arange(-1.0, KNOTS + 3.0)
"""Positions between the knots, and beyond them, at which the bits of the model are measured."""
KNOTS_OF_LEVELS = ".value"
"""The end of the names of the integer tensors that have a value for each knot."""

Arrays = Mapping[str, NDArray[Any]]


def check_levels(model: CodingModel) -> None:
    """Check that `model` has levels. Raises `InputError` for a model of one rate."""
    if not model.data.config.variable_rate:
        raise InputError("a model of one rate has no levels to space, or to space others by")


def coded_bits(model: CodingModel, pictures: Sequence[Floats]) -> list[float]:
    """Return the bits of `pictures` `[1, 3, H, W]`, as `model` codes them, at each of `LEVELS`.

    Raises:
        InputError: the model has one rate.
    """
    check_levels(model)
    prepared = [model.prepare_analysis(x) for x in pictures]
    return [_bits(model, prepared, level) for level in LEVELS]


def space_levels(
    model: CodingModel, bits: Sequence[float], pictures: Sequence[Floats]
) -> tuple[CodingModel, list[float]]:
    """Return `model` with other values at its knots, so that `pictures` have these `bits` at `LEVELS`.

    Values beyond the first and the last knot go on in straight lines.

    Args:
        model: the model.
        bits: the bits that the pictures shall have.
        pictures: `[1, 3, H, W]` each; H and W are multiples of 64.

    Returns:
        The new model, and the position among the old knots, from 0, whose values each knot has now.

    Raises:
        InputError: the model has one rate, the bits do not rise, or those of the model do not reach that far.
        ModelError: a sum of the exact path could overflow.
    """
    check_levels(model)
    data = model.data
    exact = {name: array for name, array in data.exact.items() if name.endswith(KNOTS_OF_LEVELS)}
    gains = data.weights(list(dict.fromkeys(name for graph in data.graphs.values() for name in graph.gains())))
    prepared = [model.prepare_analysis(x) for x in pictures]
    found = []
    for position in POSITIONS:
        there = make_model(_moved(data, exact, gains, [float(position)] * KNOTS))
        found.append(math.log(_bits(there, prepared, level=0)))
    wanted = np.log(bits)
    rising = min(np.diff(wanted)) > 0 and min(np.diff(found)) > 0
    if not rising or not found[0] <= wanted[0] < wanted[-1] <= found[-1]:
        raise InputError(
            "the levels of this model cannot be spaced: its bits do not rise through those that they shall have"
        )
    positions = [float(position) for position in np.interp(wanted, found, POSITIONS)]
    # The last level lies between the last two knots, and gets its position from both.
    reached = LEVELS[-1] / KNOT_SPACING - (KNOTS - 2)
    positions[-1] = positions[-2] + (positions[-1] - positions[-2]) / reached
    return make_model(_moved(data, exact, gains, positions)), positions


def _bits(model: CodingModel, prepared: Sequence[Floats], level: int) -> float:
    """Return the bits at a level of pictures whose features, the same at all levels, are `prepared`."""
    return sum(8.0 * len(model.compress(model.finish_analysis(x, level), level).data) for x in prepared)


def _moved(data: ModelData, exact: Arrays, gains: Arrays, positions: Sequence[float]) -> ModelData:
    """Return `data` with the values of other positions at the knots of the tensors `exact` and `gains`."""
    changed = {name: _at(array, positions) for name, array in gains.items()}

    def weights(names: Sequence[str]) -> Arrays:
        kept = data.weights([name for name in names if name not in changed])
        return {name: changed[name] if name in changed else kept[name] for name in names}

    whole = {name: _at(array, positions) for name, array in exact.items()}
    return data._replace(exact={**data.exact, **whole}, weights=weights)


def _at(values: NDArray[Any], positions: Sequence[float]) -> NDArray[Any]:
    """Interpolate or extend `values` `[KNOTS, ...]` linearly at positions among them; the type stays."""
    wide = values.astype(np.float64)
    low = [min(max(math.floor(position), 0), KNOTS - 2) for position in positions]
    found = np.stack([wide[i] + (p - i) * (wide[i + 1] - wide[i]) for i, p in zip(low, positions, strict=True)])
    return (np.rint(found) if values.dtype.kind == "i" else found).astype(values.dtype)
