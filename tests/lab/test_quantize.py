from __future__ import annotations

import numpy as np
import torch

from cwic.entropy.tables import gaussian_tables
from cwic.lab.quantize import add_uniform_noise, round_by_cost, round_straight_through
from cwic.latents import rounding
from cwic.latents.scales import scale_grid


def test_rounding_has_the_gradient_of_the_identity() -> None:
    x = torch.tensor([-1.7, -0.2, 0.4, 2.6], requires_grad=True)
    rounded = round_straight_through(x)
    assert rounded.tolist() == [-2, 0, 0, 3]
    (rounded * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [1, 2, 3, 4]


def test_noise_is_uniform_on_half_a_step_each_way() -> None:
    x = torch.zeros(100_000, requires_grad=True)
    noise = add_uniform_noise(x)
    assert noise.min() >= -0.5
    assert noise.max() <= 0.5
    counts = torch.histc(noise.detach(), bins=10, min=-0.5, max=0.5)
    assert (counts - 10_000).abs().max() < 500
    noise.sum().backward()
    assert (x.grad == 1).all()


def test_rounding_by_cost_is_the_encoders() -> None:
    costs = rounding.symbol_costs(gaussian_tables(scale_grid()))
    values = 4 * torch.randn(5000, dtype=torch.float64)
    tables = torch.randint(1, 64, (5000,))
    found = round_by_cost(values, lambda magnitude: torch.from_numpy(costs)[tables, magnitude.long()], 3.0)
    expected = rounding.round_by_cost(values.numpy(), costs, tables.numpy().astype(np.uint8), 3.0)
    assert np.array_equal(found, expected)
    assert 100 < np.count_nonzero(expected != np.rint(values.numpy())) < 2500
