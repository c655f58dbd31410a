from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cwic.nn.gdn import GDN


def norm(module: GDN, x: Tensor) -> Tensor:
    """The root in the docstring's equation, position by position, in float64."""
    beta = module.beta.double().clamp_min((1e-6 + 2**-36) ** 0.5) ** 2 - 2**-36
    gamma = module.gamma.double().clamp_min(2**-18) ** 2 - 2**-36
    return (beta[:, None, None] + torch.einsum("ij,bjhw->bihw", gamma, x.double() ** 2)).sqrt()


@pytest.mark.parametrize("inverse", [False, True])
@torch.no_grad()
def test_it_is_what_its_equation_says(inverse: bool) -> None:
    module, x = GDN(6, inverse), 3 * torch.randn(2, 6, 5, 4)
    nn.init.uniform_(module.beta, -0.1, 1)
    nn.init.uniform_(module.gamma, -0.5, 0.5)
    expected = x * norm(module, x) if inverse else x / norm(module, x)
    torch.testing.assert_close(module(x), expected.float())


@torch.no_grad()
def test_it_starts_with_beta_1_and_a_tenth_of_the_identity() -> None:
    x = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(GDN(3)(x), x / (1 + 0.1 * x**2).sqrt())
    torch.testing.assert_close(GDN(3, inverse=True)(x), x * (1 + 0.1 * x**2).sqrt())


def test_a_weight_below_its_bound_can_come_back_and_falls_no_further() -> None:
    module, x = GDN(2), torch.ones(1, 2, 1, 1)
    with torch.no_grad():
        module.gamma.fill_(-1.0)
    for sign, moves in ((1.0, True), (-1.0, False)):
        module.zero_grad()
        (sign * module(x)).sum().backward()  # a smaller output wants more gamma
        assert bool((module.gamma.grad < 0).all()) is moves
        assert bool((module.gamma.grad == 0).all()) is not moves
    assert module.beta.grad.abs().min() > 0


@torch.no_grad()
def test_the_published_layer_agrees(golden: Any) -> None:
    convolution, module = nn.Conv2d(3, 16, 5, stride=2, padding=2), GDN(16)
    convolution.load_state_dict(golden.weights("cnn.g_a.0."))
    module.load_state_dict({name: t for name, t in golden.weights("cnn.g_a.1.").items() if "reparam" not in name})
    torch.testing.assert_close(module(convolution(golden["mid/enh_out"])), golden["mid/ga1"], rtol=0, atol=1e-4)
