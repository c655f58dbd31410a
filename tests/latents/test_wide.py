from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cwic.errors import ModelError
from cwic.latents.wide import (
    FRACTION_BITS,
    NUMBER_MAX,
    SHIFT_MAX,
    WEIGHT_MAX,
    WideConv3x3,
    WideLayer,
    leaky_relu,
    shift_round,
    to_fixed,
)

UNIT = 1 << FRACTION_BITS


def test_numbers_saturate() -> None:
    x = torch.tensor([0.5, -1e9, 1e9, 1 / UNIT / 4])
    assert to_fixed(x).tolist() == [UNIT / 2, -NUMBER_MAX, NUMBER_MAX, 0]


def test_shifts_round_half_up_exactly_to_the_largest_sums() -> None:
    values = [(1 << 51) - 1, -(1 << 51) + 1, 3, -3, 1, -1, 6, (1 << 50) + 1]
    for bits in (0, 1, 2, 7, 40):
        expected = [(value + (1 << bits >> 1)) >> bits for value in values]
        found = shift_round(torch.tensor(values, dtype=torch.float64), 2.0**-bits)
        assert found.long().tolist() == expected


def test_the_leak_is_one_hundredth() -> None:
    x = torch.tensor([-NUMBER_MAX, -UNIT, -1, 0, 1, NUMBER_MAX], dtype=torch.float64)
    assert leaky_relu(x).tolist() == [-83888, -41, 0, 0, 1, NUMBER_MAX]


@pytest.mark.parametrize("size", [1e-6, 0.1, 1.0, 700.0])
def test_a_layer_computes_what_it_was_made_from(size: float) -> None:
    trained = nn.Linear(200, 30)
    nn.init.normal_(trained.weight, std=size)
    layer = WideLayer(200, 30)
    layer.take(trained.weight.detach()[:, None], trained.bias.detach(), "layer")
    x = torch.randn(50, 200)
    found = layer(to_fixed(x)) / UNIT
    expected = trained.double()(x.double()).clamp(-NUMBER_MAX / UNIT, NUMBER_MAX / UNIT)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-3 + 5e-3 * size)


def test_a_layer_is_exact_integer_arithmetic() -> None:
    random = np.random.default_rng(0)
    layer = WideLayer(500, 4, taps=3)
    layer.weight.copy_(torch.from_numpy(random.integers(-WEIGHT_MAX, WEIGHT_MAX + 1, (4, 3, 500))))
    layer.shift.copy_(torch.tensor([0, 5, 20, SHIFT_MAX]))
    layer.bias.copy_(torch.from_numpy(random.integers(-1000, 1000, 4)))
    x = random.integers(-NUMBER_MAX, NUMBER_MAX + 1, (20, 1500))
    totals = x.astype(object) @ layer.weight.flatten(1).numpy().astype(object).T
    half = [(1 << s) >> 1 for s in layer.shift.tolist()]
    expected = np.array(
        [[((t + h) >> s) + b for t, h, s, b in zip(row, half, layer.shift.tolist(), layer.bias.tolist(), strict=True)]
         for row in totals.tolist()]
    ).clip(-NUMBER_MAX, NUMBER_MAX)  # fmt: skip
    assert np.array_equal(layer(torch.from_numpy(x).double()).long().numpy(), expected)


@pytest.mark.parametrize("upscale", [1, 2])
def test_a_convolution_is_a_convolution_and_a_shuffle(upscale: int) -> None:
    trained = nn.Conv2d(6, 5 * upscale**2, 3, padding=1)
    layer = WideConv3x3(6, 5, upscale)
    layer.take_convolution(trained, "layer")
    x = torch.randn(1, 6, 4, 7)
    expected = F.pixel_shuffle(trained(x), upscale)[0].permute(1, 2, 0).double()
    found = layer(to_fixed(x[0].permute(1, 2, 0))) / UNIT
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
@pytest.mark.parametrize("where", ["weight", "bias"])
def test_what_fits_no_number_is_refused(where: str, value: float) -> None:
    values = {"weight": torch.zeros(2, 1, 3), "bias": torch.zeros(2)}
    values[where].view(-1)[0] = value
    with pytest.raises(ModelError, match="too large for fixed-point numbers, or not finite"):
        WideLayer(3, 2).take(**values, name="layer")


def test_sums_that_could_be_inexact_are_refused() -> None:
    layer = WideLayer((1 << 13) + 2, 1)
    layer.weight.fill_(WEIGHT_MAX)
    with pytest.raises(ModelError, match=r"layer h_s\.0 could overflow: sums reach 2\^51\.0"):
        layer.prove_bounds("h_s.0")
    layer.weight[:, :, :8] = 0
    layer.prove_bounds("h_s.0")
    layer.shift.fill_(-1)
    with pytest.raises(ModelError):
        layer.prove_bounds("h_s.0")
