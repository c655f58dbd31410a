from __future__ import annotations

import numpy as np
import torch

from cwic.latents.levels import KNOT_SPACING, KNOTS, MAX_LEVEL, interpolate, interpolate_gain
from cwic.nn.gain import LevelGain, interpolate_knots

LEVELS = torch.arange(MAX_LEVEL + 1)


def test_every_level_lies_between_two_knots() -> None:
    assert (KNOTS - 1) * KNOT_SPACING >= MAX_LEVEL > (KNOTS - 2) * KNOT_SPACING


def test_floats_are_linear_between_the_knots_and_exact_at_them() -> None:
    positions = torch.arange(KNOTS, dtype=torch.float64)[:, None] * KNOT_SPACING
    line = torch.cat([3 * positions + 1, -positions], dim=1)
    expected = torch.stack([3.0 * LEVELS + 1, -1.0 * LEVELS], dim=1).double()
    torch.testing.assert_close(interpolate_knots(line, LEVELS), expected)
    knots = torch.randn(KNOTS, 5)
    assert torch.equal(interpolate_knots(knots, torch.tensor([0, 128, 896])), knots[[0, 1, 7]])


def test_the_codecs_integers_stay_within_half_a_unit_of_the_floats() -> None:
    knots = torch.randint(-3000, 3000, (KNOTS, 7), dtype=torch.int32)
    integers = torch.from_numpy(np.stack([interpolate(knots.numpy(), level) for level in LEVELS.tolist()]))
    assert integers.dtype == torch.int32
    error = integers.double() - interpolate_knots(knots.double(), LEVELS)
    assert error.abs().max() <= 0.5
    assert error.max() == 0.5  # half goes up: the rule that the format states
    assert error.min() > -0.5
    assert torch.equal(integers[::KNOT_SPACING], knots[:8])


def test_the_codecs_gains_are_the_trained_ones() -> None:
    gain = LevelGain(5)
    torch.nn.init.normal_(gain.log2_gain)
    with torch.no_grad():
        for level in (0, 333, 1000):
            expected = gain(torch.ones(1, 5, 1, 1), torch.tensor([level])).flatten()
            np.testing.assert_allclose(interpolate_gain(gain.log2_gain.numpy(), level), expected, rtol=1e-6)


def test_level_gain_starts_as_the_identity_and_follows_each_pictures_level() -> None:
    gain, x = LevelGain(3), torch.randn(2, 3, 4, 4)
    level = torch.tensor([0, 2 * KNOT_SPACING])
    assert torch.equal(gain(x, level), x)
    with torch.no_grad():
        gain.log2_gain[2, 1] = 3.0
    expected = x.clone()
    expected[1, 1] *= 8
    torch.testing.assert_close(gain(x, level), expected)
