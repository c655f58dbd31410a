from __future__ import annotations

import math

import pytest
import torch

from cwic.lab import gaussian


@pytest.mark.parametrize("scale", [0.11, 0.5, 3.0, 40.0])
def test_bits_are_those_of_the_integral_of_the_density(scale: float) -> None:
    values = torch.tensor([0.0, 0.3, -1.0, 2.0, 5.0])
    fine = torch.linspace(-0.5, 0.5, 20_001, dtype=torch.float64)
    x = values.double()[:, None] + fine
    density = torch.exp(-0.5 * (x / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    mass = torch.trapezoid(density, fine, dim=1).clamp_min(1e-9)
    bits = gaussian.bits(values, torch.tensor(math.log2(scale)))
    torch.testing.assert_close(bits.double(), -torch.log2(mass), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale", [0.2, 1.0, 7.0])
def test_probabilities_of_the_integers_make_one(scale: float) -> None:
    bits = gaussian.bits(torch.arange(-80.0, 81.0), torch.tensor(math.log2(scale)))
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-5)


def test_scale_and_mass_are_bounded_below() -> None:
    assert gaussian.bits(torch.tensor([1e6]), torch.tensor(0.0)).item() == pytest.approx(-math.log2(1e-9), rel=1e-5)
    at_bound, below = (gaussian.bits(torch.tensor([0.4]), torch.tensor(math.log2(s))) for s in (0.11, 0.01))
    torch.testing.assert_close(at_bound, below)


@pytest.mark.parametrize("scale", [0.01, 0.11, 0.7, 30.0])
def test_likelihoods_are_those_of_the_bits(scale: float) -> None:
    values = torch.linspace(-6, 6, 49)
    likelihood = gaussian.likelihood(values, torch.full_like(values, scale))
    bits = gaussian.bits(values, torch.tensor(math.log2(scale)))
    torch.testing.assert_close(-torch.log2(likelihood), bits, rtol=1e-4, atol=1e-4)


def test_a_scale_below_its_bound_still_learns_to_grow() -> None:
    scale = torch.tensor([0.05, 0.05], requires_grad=True)
    # A value far from the mean wants a larger scale, one at the mean a smaller.
    (-torch.log2(gaussian.likelihood(torch.tensor([0.7, 0.3]), scale))).sum().backward()
    assert scale.grad[0] < 0
    assert scale.grad[1] == 0
