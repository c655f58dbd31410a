from __future__ import annotations

import numpy as np
import pytest

from cwic.entropy.tables import Tables
from cwic.latents.rounding import CONSIDERED, cost_slopes, round_by_cost, symbol_costs
from cwic.latents.scales import scale_grid


def test_costs_are_the_ideal_lengths_of_magnitudes(tables: Tables) -> None:
    costs = symbol_costs(tables)
    assert costs.shape == (64, CONSIDERED)
    for index in (1, 20, 63):
        for magnitude in (0, 3, 40):
            ideal = tables.bits(np.array([-magnitude]), np.array([index], dtype=np.uint8))
            assert costs[index, magnitude] == pytest.approx(ideal)


@pytest.mark.parametrize("weight", [0.2, 3.0, 20.0])
def test_the_cheaper_of_two_integers_is_chosen(tables: Tables, weight: float) -> None:
    random = np.random.default_rng(0)
    values = random.uniform(-12, 12, (20, 200))
    index = random.integers(1, 64, values.shape).astype(np.uint8)
    costs = symbol_costs(tables)
    chosen = round_by_cost(values, costs, index, weight)
    nearest = np.rint(values)
    lower = np.copysign(np.maximum(np.abs(nearest) - 1, 0), values)

    def cost(symbols: np.ndarray) -> np.ndarray:
        return costs[index, np.abs(symbols).astype(int)] + weight * (symbols - values) ** 2

    assert chosen.shape == values.shape
    assert ((chosen == nearest) | (chosen == lower)).all()
    assert (cost(chosen) <= cost(nearest) + 1e-9).all()
    assert (cost(chosen) <= cost(lower) + 1e-9).all()
    assert 20 < (chosen != nearest).sum() < 3900


def test_dear_errors_are_rounded_to_the_nearest() -> None:
    values = np.random.default_rng(0).uniform(-60, 60, 1000)
    costs = np.tile(10.0 * np.arange(CONSIDERED), (2, 1))
    index = np.ones(1000, np.uint8)
    np.testing.assert_array_equal(round_by_cost(values, costs, index, 1e9), np.rint(values))
    cheap = round_by_cost(values, costs, index, 0.0)
    np.testing.assert_array_equal(np.abs(cheap), np.maximum(np.abs(np.rint(values)) - 1, 0))


def test_large_values_have_no_choice(tables: Tables) -> None:
    values = np.array([63.6, 64.4, -1000.5, 32767.2])
    found = round_by_cost(values, symbol_costs(tables), np.full(4, 40, np.uint8), 0.0)
    np.testing.assert_array_equal(found, np.rint(values))


def test_slopes_are_the_differences_of_costs(tables: Tables) -> None:
    costs = symbol_costs(tables)
    slopes = cost_slopes(costs)
    assert (slopes.shape, slopes.dtype) == (costs.shape, np.float32)
    assert not slopes[:, 0].any()
    assert slopes[40, 5] == pytest.approx((costs[40, 6] - costs[40, 4]) / 2)
    # A Gaussian's slope at a magnitude m is m / variance, in nats.
    assert slopes[50, 10] == pytest.approx(10 / scale_grid()[50] ** 2 / np.log(2), rel=0.05)
