from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cwic.nn.residual_attention import ResidualAttention, ResidualUnit


def test_a_residual_unit_adds_its_input_before_the_last_activation() -> None:
    unit = ResidualUnit(4, nn.ReLU)
    x = torch.randn(1, 4, 5, 5)
    for parameter in unit.conv[4].parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(unit(x), x.relu())


def test_the_gate_weighs_what_the_other_branch_adds() -> None:
    module, x = ResidualAttention(8, units=2), torch.randn(2, 8, 5, 7)
    a, b = module.conv_a(x), module.conv_b(x)
    torch.testing.assert_close(module(x), x + a / (1 + torch.exp(-b)))
    with torch.no_grad():
        module.conv_b[-1].bias.fill_(-200.0)
    torch.testing.assert_close(module(x), x)


@pytest.mark.parametrize("units", [1, 3])
@torch.no_grad()
def test_it_costs_what_it_says(units: int) -> None:
    with FlopCounterMode(display=False) as counter:
        ResidualAttention(16, units)(torch.randn(1, 16, 4, 4))
    assert counter.get_total_flops() / 2 / 16 == (6.5 * units + 1) * 16**2


@torch.no_grad()
def test_the_published_module_agrees(golden: Any) -> None:
    module = ResidualAttention(16)
    for path, entering, leaving in (("forw_att", "mid/ga8", "y"), ("back_att", "y_hat", "mid/gs_att")):
        module.load_state_dict(golden.weights(f"attention.{path}."))
        torch.testing.assert_close(module(golden[entering]), golden[leaving], rtol=0, atol=1e-4)
