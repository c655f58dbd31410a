from __future__ import annotations

import numpy as np
import pytest

from cwic.latents.levels import KNOT_SPACING, KNOTS, MAX_LEVEL, interpolate, interpolate_gain, lmbda_of


def test_lambda_goes_from_its_least_to_its_largest_log_linearly() -> None:
    assert [lmbda_of(level) for level in (0, 500, MAX_LEVEL)] == pytest.approx([0.0009, 0.0009 * 200**0.5, 0.18])


def test_integers_are_interpolated_and_rounded_half_up() -> None:
    knots = np.random.default_rng(0).integers(-3000, 3000, (KNOTS, 5)).astype(np.int32)
    for level in (0, 1, 64, 127, 128, 555, 1000):
        low, weight = divmod(level, KNOT_SPACING)
        exact = knots[low] + (knots[low + 1] - knots[low]) * weight / KNOT_SPACING
        found = interpolate(knots, level)
        assert found.dtype == np.int32
        assert found.tolist() == np.floor(exact + 0.5).astype(int).tolist()


def test_gains_are_interpolated_in_the_logarithm() -> None:
    knots = np.linspace(-1, 3, KNOTS)[:, None].astype(np.float16)
    gains = [float(interpolate_gain(knots, level)[0]) for level in (0, KNOT_SPACING, KNOT_SPACING * 3 // 2)]
    assert gains == pytest.approx([0.5, 2**-0.5, 2**-0.25], rel=1e-3)
