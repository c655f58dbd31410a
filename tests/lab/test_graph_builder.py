from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cwic.lab.graph_builder import GraphBuilder, from_space_to_depth
from cwic.networks.engine import Network
from cwic.networks.graph import Graph
from cwic.networks.windows import window_inputs
from cwic.nn import (
    GDN,
    ChannelNorm,
    CrossWindowAttention,
    CrossWindowAttentionModule,
    DenseBlock,
    FeatureEncoding,
    ResidualAttention,
    ResidualUnit,
)
from cwic.nn.gdn import effective_parameters

pytestmark = pytest.mark.usefixtures("any_engine")


def randomise(module: nn.Module, std: float = 0.3) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)
    return module


def run(graph: Graph, weights: dict[str, NDArray[Any]], **inputs: NDArray[Any]) -> Tensor:
    """What an engine gives, of a graph as a weight file keeps it."""
    kept = Graph.from_data(graph.to_data(), weights)
    return torch.from_numpy(Network(kept, lambda names: {name: weights[name] for name in names}, "cpu")(inputs))


@torch.no_grad()
def assert_the_same(layer: nn.Module, x: Tensor, **inputs: NDArray[Any]) -> None:
    """The graph of `layer` gives what torch gives."""
    weights: dict[str, NDArray[Any]] = {}
    graph = GraphBuilder("test", weights, half=False)
    made = graph.graph(graph.layer(graph.input("x"), "layer", layer))
    expected = layer(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(run(made, weights, x=x.numpy(), **inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 5, stride=2, padding=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
        nn.ConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1),
        nn.ReLU(),
        nn.LeakyReLU(),
        nn.GELU(),
        nn.PixelShuffle(2),
        nn.Identity(),
        nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.LeakyReLU(0.3), nn.Sequential(nn.Conv2d(8, 3, 1))),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_layers_of_torch(layer: nn.Module) -> None:
    assert_the_same(layer, 2 * torch.randn(1, 4, 9, 14))


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn(inverse: bool) -> None:
    layer = GDN(6, inverse)
    with torch.no_grad():
        layer.beta.add_(0.3 * torch.randn(6))
        layer.gamma.add_(0.2 * torch.randn(6, 6))  # some below their bound
        assert (effective_parameters(layer)[1] <= 0).any()
    assert_the_same(layer, 2 * torch.randn(1, 6, 7, 5))


@pytest.mark.parametrize(
    "layer",
    [
        DenseBlock(4, 6, growth=3),
        FeatureEncoding(4, width=8, growth=4),
        ResidualUnit(4),
        ResidualAttention(4, units=2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_blocks_without_attention(layer: nn.Module) -> None:
    assert_the_same(randomise(layer), torch.randn(1, 4, 6, 11))


SIZES = [(8, 8), (16, 24), (4, 32), (13, 9), (1, 30), (5, 3)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("window", "shift"), [(8, 4), (8, 0), (4, 2), (4, 3)])
@pytest.mark.parametrize("cross", [True, False])
def test_attention(cross: bool, window: int, shift: int, size: tuple[int, int]) -> None:
    layer = randomise(CrossWindowAttention(8, window, shift, heads=2, cross=cross))
    assert_the_same(layer, torch.randn(1, 8, *size), **window_inputs("attention", *size, window, shift, cross))


@pytest.mark.parametrize("size", [(16, 16), (11, 20)])
@pytest.mark.parametrize("cross", [True, False])
def test_bare_attention_behind_a_normalisation(cross: bool, size: tuple[int, int]) -> None:
    layer = randomise(nn.Sequential(ChannelNorm(8), CrossWindowAttention(8, 8, 4, heads=4, cross=cross, bare=True)))
    assert_the_same(layer, torch.randn(1, 8, *size), **window_inputs("attention", *size, 8, 4, cross))


@pytest.mark.parametrize("size", [(16, 16), (11, 20)])
@pytest.mark.parametrize("cross", [True, False])
def test_the_attention_module(cross: bool, size: tuple[int, int]) -> None:
    layer = randomise(CrossWindowAttentionModule(8, 8, 4, heads=4, units=2, cross=cross))
    assert_the_same(layer, torch.randn(1, 8, *size), **window_inputs("attention", *size, 8, 4, cross))


@torch.no_grad()
def test_one_graph_has_attention_at_two_sizes() -> None:
    fine, coarse = (randomise(CrossWindowAttention(8, window, window // 2, heads=2)) for window in (8, 4))
    x, weights = torch.randn(1, 8, 20, 12), {}
    graph = GraphBuilder("test", weights, half=False)
    graph.attention_inputs = "fine"
    inner = graph.layer(graph.input("x"), "fine", fine)
    inner = graph.add("AveragePool", inner, kernel_shape=[2, 2], strides=[2, 2])
    graph.attention_inputs = "coarse"
    made = graph.graph(graph.layer(inner, "coarse", coarse))
    windows = window_inputs("fine", 20, 12, 8, 4, True) | window_inputs("coarse", 10, 6, 4, 2, True)
    expected = coarse(F.avg_pool2d(fine(x), 2))
    torch.testing.assert_close(run(made, weights, x=x.numpy(), **windows), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", [2, 4])
@torch.no_grad()
def test_what_follows_an_unshuffling(block: int) -> None:
    x, weights = torch.randn(1, 3, 8, 12), {}
    conv = nn.Conv2d(3 * block**2, 5, 3, padding=1)
    matrix, bias = torch.randn(6, 3 * block**2), torch.randn(6)
    unshuffled = F.pixel_unshuffle(x, block)
    graph = GraphBuilder("test", weights, half=False)
    planes = graph.add("SpaceToDepth", graph.input("x"), blocksize=block)
    made = graph.graph(graph.convolution(planes, "conv", conv, unshuffled=block))
    torch.testing.assert_close(run(made, weights, x=x.numpy()), conv(unshuffled), rtol=1e-4, atol=1e-4)
    made = graph.graph(graph.linear_map(planes, "map", from_space_to_depth(matrix, block), bias))
    expected = F.conv2d(unshuffled, matrix[:, :, None, None], bias)
    torch.testing.assert_close(run(made, weights, x=x.numpy()), expected, rtol=1e-4, atol=1e-4)


def test_weights_are_halved_unless_they_must_be_exact() -> None:
    weights: dict[str, NDArray[Any]] = {}
    graph = GraphBuilder("test", weights, half=True)
    graph.layer(graph.input("x"), "conv", nn.Conv2d(3, 2, 1))
    graph.layer("x", "gdn", GDN(3))
    graph.linear_map("x", "map", torch.ones(2, 3))
    graph.constant("shape", [1, 2])
    assert {name: array.dtype.name for name, array in weights.items()} == {
        "test.conv.weight": "float16",
        "test.conv.bias": "float16",
        "test.gdn.gamma": "float32",
        "test.gdn.beta": "float32",
        "test.map.weight": "float32",
        "test.shape": "int64",
    }


def test_a_halved_network_is_nearly_the_same() -> None:
    layer, x = nn.Conv2d(8, 4, 3, padding=1), torch.randn(1, 8, 6, 6)
    weights: dict[str, NDArray[Any]] = {}
    graph = GraphBuilder("test", weights, half=True)
    found = run(graph.graph(graph.layer(graph.input("x"), "layer", layer)), weights, x=x.numpy())
    apart = (found - layer(x)).abs().max().item()
    assert 0 < apart < 2e-3


def test_two_tensors_of_one_name_are_refused() -> None:
    graph = GraphBuilder("test", {}, half=False)
    graph.constant("here", [1])
    graph.constant("here", [1])
    with pytest.raises(ValueError, match=r"two tensors are called test\.here"):
        graph.constant("here", [2])


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(TypeError, match="no graph for a Tanh"):
        GraphBuilder("test", {}, half=False).layer("x", "layer", nn.Tanh())


def test_numbers_are_float32() -> None:
    weights: dict[str, NDArray[Any]] = {}
    GraphBuilder("test", weights, half=False).weight("x", torch.ones(2, dtype=torch.float64))
    assert weights["test.x"].dtype == np.float32
