from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cwic.lab.serial_context import MaskedConv2d, SerialContext


def test_a_position_sees_what_was_decoded_before_it() -> None:
    conv = MaskedConv2d(1, 1)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    x = torch.zeros(1, 1, 7, 7)
    x[0, 0, 3, 3] = 1  # seen by the positions that come later, within two rows and columns
    expected = torch.zeros(7, 7)
    expected[3, 4:6] = 1
    expected[4:6, 1:6] = 1
    assert torch.equal(conv(x)[0, 0], expected)
    assert conv.mask.sum() == 12
    assert "mask" not in conv.state_dict()


def test_hidden_taps_start_at_zero_and_get_no_gradient() -> None:
    conv = MaskedConv2d(3, 4)
    hidden = conv.mask == 0
    assert not conv.weight[:, :, hidden].any()
    conv(torch.randn(1, 3, 6, 6)).square().sum().backward()
    assert not conv.weight.grad[:, :, hidden].any()
    assert (conv.weight.grad[:, :, ~hidden].abs() > 0).all()


def test_scales_and_means_depend_on_no_later_latent() -> None:
    context, y_hat, hyper = SerialContext(8), torch.randn(1, 8, 5, 6), torch.randn(1, 16, 5, 6)
    later = torch.arange(30).view(5, 6) >= 2 * 6 + 3
    changed = torch.where(later, torch.randn_like(y_hat), y_hat)
    for one, other in zip(context(y_hat, hyper), context(changed, hyper), strict=True):
        assert one.shape == y_hat.shape
        up_to_there = torch.arange(30).view(5, 6) <= 2 * 6 + 3
        torch.testing.assert_close(one[..., up_to_there], other[..., up_to_there])
        assert not torch.allclose(one, other)


@pytest.mark.parametrize(("M", "widths"), [(320, (1280, 1066, 853, 640)), (64, (256, 213, 170, 128))])
def test_widths_are_the_published_ones(M: int, widths: tuple[int, ...]) -> None:
    with torch.device("meta"):
        layers = SerialContext(M).entropy_parameters
    shapes = [tuple(layers[i].weight.shape[:2]) for i in (0, 2, 4)]
    assert shapes == [(b, a) for a, b in pairwise(widths)]


@torch.no_grad()
def test_the_published_context_agrees(golden: Any) -> None:
    context = SerialContext(16)
    state: dict[str, Tensor] = {}
    for part in ("context_prediction.", "entropy_parameters."):
        state |= {part + name: tensor for name, tensor in golden.weights(part).items() if name != "mask"}
    context.load_state_dict(state)  # hidden taps are stored as they are, and must not count
    assert context.context_prediction.weight[:, :, context.context_prediction.mask == 0].any()
    y_hat, hyper = golden["y_hat"], golden["params"]
    torch.testing.assert_close(context.context_prediction(y_hat), golden["ctx_params"], rtol=0, atol=1e-4)
    scales_hat, means_hat = context(y_hat, hyper)
    torch.testing.assert_close(scales_hat, golden["scales"], rtol=0, atol=1e-4)
    torch.testing.assert_close(means_hat, golden["means"], rtol=0, atol=1e-4)
