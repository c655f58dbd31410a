from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic import libraries
from cwic.libraries import usable
from cwic.models import catalog
from cwic.networks.engine import OnnxRuntime
from cwic.networks.graph import Graph, Node
from cwic.networks.native import BLOCK, plan, run

pytestmark = pytest.mark.skipif(not usable(), reason="no C compiler was found when cwic was installed")

Weights = Mapping[str, NDArray[Any]]
POINTWISE = {"group": 1, "pads": (0, 0, 0, 0), "strides": (1, 1)}
WHOLE = {"group": 1, "pads": (1, 1, 1, 1), "strides": (1, 1)}
RANDOM = np.random.default_rng(0)


@pytest.fixture
def library() -> ctypes.CDLL:
    found = libraries.library()
    assert found is not None
    return found


def normal(*shape: int) -> NDArray[np.float32]:
    return (RANDOM.standard_normal(shape) / max(1, np.prod(shape[1:])) ** 0.5).astype(np.float32)


def graph_of(nodes: Sequence[Node], *more: str, outputs: Sequence[str] = ("y",)) -> Graph:
    return Graph(dict.fromkeys(("x", *more), ("float32", 4)), tuple(nodes), tuple(outputs))


def channels_of(inputs: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    return {name: each.shape[1] for name, each in inputs.items()}


def compare(library: ctypes.CDLL, graph: Graph, weights: Weights, inputs: dict[str, NDArray[Any]]) -> None:
    """Our own engine gives what ONNX Runtime gives."""
    channels = channels_of(inputs)
    steps = plan(library, graph, weights, channels)
    assert steps is not None
    for found, expected in zip(
        run(steps, graph, inputs), OnnxRuntime("cpu").load(graph, weights, channels)(inputs), strict=True
    ):
        assert found.shape == expected.shape
        size = max(1e-6, float(np.sqrt(np.square(expected).mean())))
        assert np.abs(found - expected).max() < 4e-3 * size


BLOCK_WEIGHTS = {
    **{f"{name}.weight": normal(32, 32, 1, 1) for name in ("expand", "project", "merge")},
    "gate.weight": normal(64, 32, 1, 1),
    "depthwise.weight": normal(32, 1, 3, 3),
    **{f"{name}.bias": normal(32) for name in ("expand", "depthwise", "project", "merge")},
    "gate.bias": normal(64),
}
BLOCK_ATTRIBUTES: dict[int, dict[str, Any]] = {
    **dict.fromkeys((0, 4, 6, 11), POINTWISE),
    1: {"alpha": 0.1},
    2: {**WHOLE, "group": 32},
    7: {"axis": 1, "num_outputs": 2},
}
BLOCK_NODES = [node._replace(attributes=BLOCK_ATTRIBUTES.get(i, {})) for i, node in enumerate(BLOCK)]
BLOCK_INPUTS = {"x": normal(1, 32, 9, 7), "spatial": normal(1, 32, 1, 1), "channel": normal(1, 32, 1, 1)}


def test_a_block_is_one_step(library: ctypes.CDLL) -> None:
    graph = graph_of(BLOCK_NODES, "spatial", "channel")
    steps = plan(library, graph, BLOCK_WEIGHTS, channels_of(BLOCK_INPUTS))
    assert steps is not None
    assert [step.output for step in steps] == ["y"]
    compare(library, graph, BLOCK_WEIGHTS, BLOCK_INPUTS)


@pytest.mark.parametrize("used", ["sum", "gated", "expanded"])
def test_a_block_that_is_used_from_outside_is_none(library: ctypes.CDLL, used: str) -> None:
    graph = graph_of([*BLOCK_NODES, Node("Add", (used, "y"), ("z",), {})], "spatial", "channel", outputs=("z",))
    assert plan(library, graph, BLOCK_WEIGHTS, channels_of(BLOCK_INPUTS)) is None


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (7, {"attributes": {"axis": 2, "num_outputs": 2}}),
        (0, {"attributes": {**POINTWISE, "strides": (2, 2)}}),
        (5, {"inputs": ("projected", "projected")}),
        (3, {"inputs": ("mixed", "expand.bias")}),
        (9, {"inputs": ("b", "share")}),
        (0, {"inputs": ("x", "narrow", "expand.bias")}),
        (2, {"inputs": ("bent", "depthwise.weight", "narrow.bias")}),
    ],
)
def test_what_is_nearly_a_block_is_none(library: ctypes.CDLL, place: int, change: dict[str, Any]) -> None:
    nodes = list(BLOCK_NODES)
    nodes[place] = nodes[place]._replace(**change)
    graph = graph_of(nodes, "spatial", "channel")
    weights = BLOCK_WEIGHTS | {"narrow": normal(32, 16, 1, 1), "narrow.bias": normal(16)}
    assert plan(library, graph, weights, channels_of(BLOCK_INPUTS)) is None


def test_dense_connections(library: ctypes.CDLL) -> None:
    nodes = [
        Node("Conv", ("x", "a", "a.bias"), ("grown",), WHOLE),
        Node("LeakyRelu", ("grown",), ("bent",), {"alpha": 0.2}),
        Node("Concat", ("x", "bent"), ("both",), {"axis": 1}),
        Node("Conv", ("both", "b"), ("again",), WHOLE),
        Node("Concat", ("both", "again"), ("all",), {"axis": 1}),
        Node("Conv", ("all", "c", "c.bias"), ("wide",), WHOLE),
        Node("Conv", ("all", "d", "d.bias"), ("flat",), POINTWISE),
        Node("Mul", ("flat", "share"), ("small",), {}),
        Node("Add", ("wide", "small"), ("y",), {}),
    ]
    weights = {
        "a": normal(8, 24, 3, 3), "a.bias": normal(8), "b": normal(4, 32, 3, 3), "c": normal(48, 36, 3, 3),
        "c.bias": normal(48), "d": normal(48, 36, 1, 1), "d.bias": normal(48), "share": normal(1),
    }  # fmt: skip
    compare(library, graph_of(nodes, outputs=("y", "again")), weights, {"x": normal(1, 24, 10, 13)})


@pytest.mark.parametrize(("side", "channels"), [(2, 32), (8, 3)])
def test_shuffles(library: ctypes.CDLL, side: int, channels: int) -> None:
    inner = channels * side * side
    nodes = [
        Node("SpaceToDepth", ("x",), ("deep",), {"blocksize": side}),
        Node("Conv", ("deep", "a"), ("mixed",), POINTWISE),
        Node("Conv", ("mixed", "b", "b.bias"), ("turned",), POINTWISE),
        Node("DepthToSpace", ("turned",), ("y",), {"blocksize": side, "mode": "CRD"}),
    ]
    weights = {"a": normal(inner, inner, 1, 1), "b": normal(inner, inner, 1, 1), "b.bias": normal(inner)}
    compare(library, graph_of(nodes), weights, {"x": normal(1, channels, 4 * side, 3 * side)})


def test_a_depthwise_convolution_and_single_operators(library: ctypes.CDLL) -> None:
    nodes = [
        Node("Abs", ("x",), ("a",), {}),
        Node("Min", ("a", "largest"), ("b",), {}),
        Node("Add", ("b", "one"), ("c",), {}),
        Node("Log", ("c",), ("d",), {}),
        Node("Mul", ("d", "gain"), ("e",), {}),
        Node("Conv", ("e", "w", "w.bias"), ("f",), {**WHOLE, "group": 32}),
        Node("Sub", ("f", "x"), ("y",), {}),
    ]
    weights = {
        "largest": np.array([0.5], np.float32), "one": np.array([1], np.float32),
        "w": normal(32, 1, 3, 3), "w.bias": normal(32),
    }  # fmt: skip
    compare(library, graph_of(nodes, "gain"), weights, {"x": normal(1, 32, 5, 6), "gain": normal(1, 32, 1, 1)})


@pytest.mark.parametrize("name", ["cwic-s", "cwic-m"])
def test_all_networks_of_the_models_are_known(library: ctypes.CDLL, name: str) -> None:
    data = catalog.open_model(name).data
    for graph in data.graphs.values():
        weights = data.weights(graph.weights())
        channels = {"x": 3, "features": data.config.trunk, "y": data.config.M, "y_hat": data.config.M, "gain": 1}
        channels |= dict.fromkeys(graph.gains(), 1)
        assert plan(library, graph, weights, channels) is not None


@pytest.mark.parametrize(
    "node",
    [
        Node("Softmax", ("x",), ("y",), {"axis": 1}),
        Node("Conv", ("x", "five"), ("y",), {**WHOLE, "pads": (2, 2, 2, 2)}),
        Node("Conv", ("x", "three"), ("y",), {**WHOLE, "strides": (2, 2)}),
        Node("Conv", ("x", "three"), ("y",), {**WHOLE, "pads": (0, 0, 0, 0)}),
        Node("Conv", ("x", "grouped"), ("y",), {**WHOLE, "group": 2}),
        Node("Conv", ("x", "odd"), ("y",), POINTWISE),
        Node("Conv", ("x", "wide"), ("y",), POINTWISE),
        Node("Conv", ("x", "two"), ("y",), {**WHOLE, "group": 2}),
        Node("Conv", ("x", "three", "short"), ("y",), WHOLE),
        Node("Concat", ("x", "x"), ("y",), {"axis": 2}),
        Node("DepthToSpace", ("x",), ("y",), {"blocksize": 2, "mode": "CRD"}),
        Node("LeakyRelu", ("x",), ("y",), {"alpha": 1.5}),
        Node("Mul", ("x", "short"), ("y",), {}),
        Node("Min", ("x", "x", "x"), ("y",), {}),
        Node("Add", ("x",), ("y",), {}),
        Node("Add", ("one", "one"), ("y",), {}),
        Node("Split", ("x",), ("y", "z"), {"axis": 1, "num_outputs": 2}),
        Node("SpaceToDepth", ("x",), ("y",), {}),
    ],
)
def test_what_is_not_known_is_left_to_another_engine(library: ctypes.CDLL, node: Node) -> None:
    weights = {
        "five": normal(8, 8, 5, 5), "three": normal(8, 8, 3, 3), "grouped": normal(8, 4, 3, 3),
        "odd": normal(8, 7, 1, 1), "wide": normal(8, 16, 1, 1), "two": normal(2, 1, 3, 3),
        "short": normal(5), "one": normal(1),
    }  # fmt: skip
    assert plan(library, graph_of([node]), weights, {"x": 8}) is None


def test_values_are_given_up_after_their_last_use(library: ctypes.CDLL) -> None:
    nodes = [Node("Abs", ("x",), ("a",), {}), Node("Log", ("a",), ("b",), {}), Node("Add", ("a", "b"), ("y",), {})]
    steps = plan(library, graph_of(nodes), {}, {"x": 4})
    assert steps is not None
    assert [step.last for step in steps] == [("x",), (), ("a", "b")]


def test_a_plan_keeps_no_weights(library: ctypes.CDLL) -> None:
    data = catalog.open_model("cwic-s").data
    graph = data.graphs["features"]
    weights = {name: np.array(each) for name, each in data.weights(graph.weights()).items()}
    watched = [weakref.ref(each) for each in weights.values()]
    steps = plan(library, graph, weights, {"x": 3})
    assert steps is not None
    del weights
    gc.collect()
    assert not any(each() is not None for each in watched)
