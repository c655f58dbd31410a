from __future__ import annotations

import pytest
import torch
from torch import nn

from cwic.training.muon import Muon

SHAPES = [(8, 8), (8, 20), (20, 8), (8, 8), (8, 20), (5, 7)]


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


@pytest.mark.parametrize("options", [{"weight_decay": 0.0}, {"weight_decay": 0.1}, {"nesterov": False}])
def test_steps_and_state_are_those_of_torch(options: dict[str, object]) -> None:
    ours, theirs = parameters(), parameters()
    pair = Muon(ours, lr=0.02, **options), torch.optim.Muon(theirs, lr=0.02, **options)
    for step in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape)
            other.grad = one.grad.clone()
        if step == 1:
            ours[2].grad = theirs[2].grad = None
        for optimiser in pair:
            optimiser.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-4)
    first, second = (optimiser.state_dict() for optimiser in pair)
    assert first["param_groups"] == second["param_groups"]
    assert first["state"].keys() == second["state"].keys()
    for key, state in first["state"].items():
        torch.testing.assert_close(state["momentum_buffer"], second["state"][key]["momentum_buffer"])


def test_without_gradients_nothing_moves() -> None:
    ours = parameters()
    Muon(ours, lr=0.02).step()
    assert all(torch.equal(one, other) for one, other in zip(ours, parameters(), strict=True))
