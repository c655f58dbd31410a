from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cwic.entropy.tables import Tables
from cwic.latents.rounding import CONSIDERED, round_by_cost, symbol_costs


def test_costs_are_the_ideal_lengths_of_magnitudes(tables: Tables) -> None:
    costs = symbol_costs(tables)
    assert costs.shape == (64, CONSIDERED)
    for index in (1, 20, 63):
        for magnitude in (0, 3, 40):
            ideal = tables.bits(np.array([-magnitude]), np.array([index], dtype=np.uint8))
            assert costs[index, magnitude].item() == pytest.approx(ideal)


def test_the_cheaper_of_two_integers_is_chosen(tables: Tables) -> None:
    values = torch.empty(4000, dtype=torch.float64).uniform_(-12, 12)
    index = torch.randint(1, 64, (4000,))
    weight = torch.empty(4000, dtype=torch.float64).uniform_(0.1, 10)
    costs = symbol_costs(tables)

    def bits(magnitude: Tensor) -> Tensor:
        return costs[index, magnitude.long()]

    def cost(symbols: Tensor) -> Tensor:
        return bits(symbols.abs()) + weight * (symbols - values) ** 2

    chosen = round_by_cost(values, bits, weight)
    assert torch.equal(chosen, chosen.round())
    assert (cost(chosen) <= cost(values.round()) + 1e-9).all()
    towards_zero = (values.round().abs() - 1).clamp_min(0) * values.sign()
    assert (cost(chosen) <= cost(towards_zero) + 1e-9).all()
    assert ((chosen == values.round()) | (chosen == towards_zero)).all()
    assert 100 < (chosen != values.round()).sum() < 3900


def test_dear_errors_are_rounded_to_the_nearest() -> None:
    values = torch.empty(1000, dtype=torch.float64).uniform_(-60, 60)
    assert torch.equal(round_by_cost(values, lambda m: 10 * m, torch.tensor(1e9)), values.round())
    cheap = round_by_cost(values, lambda m: 10 * m, torch.tensor(0.0))
    assert torch.equal(cheap.abs(), (values.round().abs() - 1).clamp_min(0))
