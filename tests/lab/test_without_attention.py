from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.cwic import CwicModel
from cwic.lab.without_attention import folded, gated_config, linear_parts, without_attention

LEVEL = torch.tensor([300, 700])


class Linear(nn.Module):
    """In place of a branch: what a linear map does."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        matrix = torch.eye(16) + 0.1 * torch.randn(16, 16, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("matrix", matrix)

    def forward(self, y: Tensor) -> Tensor:
        return torch.einsum("oc,bchw->bohw", self.matrix, y)


@pytest.fixture
def linear(model: CwicModel) -> CwicModel:
    """A model whose branches are linear maps."""
    model.g_a.attention, model.g_s.attention = Linear(1), Linear(2)
    return model


def test_what_is_linear_is_found_and_goes_into_the_haar_maps(
    linear: CwicModel, small: CwicConfig, pictures: Tensor
) -> None:
    parts = linear_parts(linear, [pictures, pictures.flip(3)])
    for name, part in parts.items():
        matrix = linear.get_submodule(f"{name}.attention").get_buffer("matrix")
        torch.testing.assert_close(part.map.float(), matrix, rtol=1e-2, atol=1e-2)
        assert part.missed < 0.01
    plain = CwicModel(replace(small, attention="none")).eval()
    plain.load_state_dict(folded(linear.state_dict(), parts))
    with torch.no_grad():
        y, y_hat = linear.g_a(pictures, LEVEL), torch.randn(2, 16, 4, 4)
        torch.testing.assert_close(plain.g_a(pictures, LEVEL), y, rtol=1e-3, atol=2e-2)
        torch.testing.assert_close(plain.g_s(y_hat, LEVEL), linear.g_s(y_hat, LEVEL), rtol=1e-3, atol=2e-2)


def test_what_is_not_linear_is_missed(model: CwicModel, pictures: Tensor) -> None:
    class Square(nn.Module):
        def forward(self, y: Tensor) -> Tensor:
            return y + y.square() - 1

    model.g_a.attention = Square()
    missed = linear_parts(model.train(), [pictures])["g_a"].missed
    assert 0.5 < missed < 1
    assert model.training


def test_folding_is_nearer_than_dropping(model: CwicModel, small: CwicConfig, pictures: Tensor) -> None:
    for module in (model.g_a.attention, model.g_s.attention):
        nn.init.normal_(module.get_parameter("leave.weight"), std=0.2)
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parts = linear_parts(model, [pictures])
    plain = CwicModel(replace(small, attention="none")).eval()
    errors = []
    with torch.no_grad():
        expected = model.g_a(pictures, LEVEL)
        for weights in (folded(kept, parts), without_attention(kept)):
            plain.load_state_dict(weights)
            errors.append(float((plain.g_a(pictures, LEVEL) - expected).square().mean()))
    assert errors[0] < 0.7 * errors[1]
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in kept.items())


@pytest.mark.parametrize(
    "shape",
    [
        {"attention": "window", "attention_units": 3, "attention_window": 4, "attention_heads": 4},
        {"attention": "cross-window", "attention_units": 1, "attention_dim": 32},
    ],
)
def test_the_shape_of_gated_attention_is_read_off_its_tensors(small: CwicConfig, shape: dict[str, Any]) -> None:
    config = replace(small, **shape)
    weights = CwicModel(config).state_dict()
    assert gated_config(replace(small, attention="none"), weights) == config
    kept = without_attention(weights)
    assert weights.keys() - kept.keys() == {name for name in weights if name.split(".")[1] == "attention"}
    with pytest.raises(ValueError, match="no gated attention at 1/16"):
        gated_config(config, kept)
