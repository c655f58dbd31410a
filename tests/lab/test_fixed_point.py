from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cwic.lab import fixed_point
from cwic.lab.fixed_point import Depthwise, Knots, PhasePointwise, Pointwise, leaky_relu, to_integers
from cwic.latents import int8
from cwic.latents.levels import interpolate

Integers = NDArray[np.int32]


def stream(*shape: int, reach: int = 2032) -> Integers:
    """A random stream without ties of the rounding to activations: floats and integers break these differently."""
    x = torch.randint(-reach, reach + 1, shape, dtype=torch.int32)
    return torch.where(x % 16 == 8, x + 1, x).numpy()


def with_random_weights(layer: Any) -> Any:
    nn.init.normal_(layer.weight, std=0.1)
    nn.init.normal_(layer.bias)
    return layer


def integers_of(layer: nn.Module) -> dict[str, NDArray[Any]]:
    """The integer tensors of a layer called `layer`."""
    return to_integers(nn.ModuleDict({"layer": layer}))


def assert_the_same(trained: torch.Tensor, whole: NDArray[Any]) -> None:
    """The floats of training are the codec's whole numbers, but for the rounding of biases and results."""
    assert np.array_equal(whole, np.rint(whole))
    assert whole.std() > 50
    assert np.abs(trained.detach().numpy() * 256.0 - whole).max() <= 2


@pytest.mark.parametrize("reach", [300, 2032, 9000])
def test_the_codecs_pointwise_layer_is_the_trained_one(reach: int) -> None:
    layer = with_random_weights(Pointwise(40, 24))
    x = stream(60, 40, reach=reach)
    whole = int8.Pointwise(integers_of(layer), "layer", 40, 24)(x)
    assert_the_same(layer(torch.from_numpy(x) / 256), whole)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_the_codecs_phase_pointwise_layer_is_the_trained_one(order: list[int]) -> None:
    layer = with_random_weights(PhasePointwise(16, 12))
    x = stream(3, 2, 4, 16)
    floats = torch.from_numpy(x) / 256
    out = layer(floats, order)
    assert_the_same(out, int8.PhasePointwise(integers_of(layer), "layer", 16, 12)(x, order))
    expected = torch.einsum("hwpi,poi->hwpo", floats, layer.weight[order]) + layer.bias[order]
    assert (out - expected).abs().max() < 0.3  # rounding to activations and to int8 weights


def test_the_codecs_depthwise_layer_is_the_trained_one() -> None:
    layer = with_random_weights(Depthwise(12))
    x = stream(7, 5, 12)
    whole = int8.Depthwise(integers_of(layer), "layer", 12)(x)
    assert_the_same(layer(torch.from_numpy(x)[None] / 256)[0], whole)


def test_to_integers_uses_all_of_int8_and_rounds_to_nearest() -> None:
    layer = with_random_weights(Pointwise(32, 8))
    found = integers_of(layer)
    assert {name: array.dtype.name for name, array in found.items()} == {
        "layer.weight": "int8",
        "layer.multiplier": "int32",
        "layer.bias": "int32",
    }
    assert (np.abs(found["layer.weight"]).max(axis=1) == 127).all()
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    scale = np.abs(weight).max(axis=1, keepdims=True) / 127
    assert np.abs(found["layer.weight"] * scale - weight).max() <= 0.5001 * scale.max()
    assert np.abs(found["layer.bias"] / 256 - bias).max() <= 0.5001 / 256


def test_to_integers_takes_knots_and_rows_of_zeros() -> None:
    network = nn.ModuleDict({"knots": Knots(2), "flat": Pointwise(4, 2)})
    with torch.no_grad():
        network["knots"].value[:3] = torch.tensor([[0.5, -1.0], [0.001, 3.0], [1 / 3, 0.0]])
        network["flat"].weight.zero_()
    found = to_integers(network)
    assert found["knots.value"][:3].tolist() == [[128, -256], [0, 768], [85, 0]]
    assert interpolate(found["knots.value"], 64).tolist() == [64, 256]
    assert network["knots"](torch.tensor([64])).tolist() == [pytest.approx([0.2505, 1.0])]
    assert not int8.Pointwise(found, "flat", 4, 2)(stream(1, 4)).any()


@pytest.mark.parametrize(("value", "largest"), [(1e30, 2**31 - 1), (-1e30, -(2**31))])
def test_what_is_too_large_becomes_the_largest_number(value: float, largest: int) -> None:
    layer = Pointwise(4, 2)
    nn.init.constant_(layer.bias, value)
    assert (integers_of(layer)["layer.bias"] == largest).all()


def test_the_leaky_relu_is_the_codecs() -> None:
    x = np.arange(-1000, 1001, dtype=np.int32)
    trained = leaky_relu(torch.from_numpy(x.astype(np.float64))).numpy()
    assert np.array_equal(int8.leaky_relu(x), np.floor(trained))


def test_gradients_pass_through_the_rounding() -> None:
    layer = Pointwise(5, 3)
    x = torch.randn(7, 5, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, fixed_point.simulate_weights(layer.weight).detach().sum(0).expand(7, 5))
    assert layer.weight.grad.abs().max() > 0


def test_simulated_activations_are_those_of_fake_quantisation_in_value_and_gradient() -> None:
    edges = torch.tensor([127.5, 127.4999, 127.0, 128.0, 0.5, 1.5, 0.0, 1e30]) / 16
    x = torch.cat([5 * torch.randn(10_000), edges, edges.nextafter(torch.zeros(8)), -edges]).requires_grad_()
    slope = torch.randn(x.shape)
    ours = fixed_point.simulate_activations(x)
    theirs = torch.fake_quantize_per_tensor_affine(x, 1 / 16, 0, -127, 127)
    assert torch.equal(ours, theirs)
    assert torch.equal(*(torch.autograd.grad(each, x, slope)[0] for each in (ours, theirs)))
