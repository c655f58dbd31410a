from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.models import catalog
from cwic.models.cwic import CwicModel
from cwic.networks.adjoint import MASK, TARGET, with_gradient
from cwic.networks.engine import ENGINE_VARIABLE, Network, OnnxRuntime
from cwic.networks.graph import Graph, Node

Floats = NDArray[np.float32]


@pytest.fixture(autouse=True)
def _floats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences between errors that are nearly the same need float32 throughout."""
    monkeypatch.setenv(ENGINE_VARIABLE, OnnxRuntime.name)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Node:
    return Node(operator, tuple(inputs.split()), tuple(outputs.split()), attributes)


def conv(inputs: str, output: str, group: int = 1, pad: int = 0) -> Node:
    return node("Conv", inputs, output, group=group, pads=(pad,) * 4, strides=(1, 1))


GRAPHS = {
    "maps": [conv("y a.weight a.bias", "1"), conv("1 b.weight", "out")],
    "convolution": [conv("y c.weight", "out", pad=1)],
    "depth-wise": [conv("y d.weight", "out", group=8, pad=1)],
    "leaky": [node("LeakyRelu", "y", "1", alpha=0.1), conv("1 e.weight", "out")],
    "gelu": [node("Gelu", "y", "1"), conv("1 e.weight", "out")],
    "gate": [
        conv("y a.weight a.bias", "1"),
        node("Split", "1", "2 3", axis=1, num_outputs=2),
        node("Sigmoid", "3", "4"),
        node("Mul", "2 4", "5"),
        node("Mul", "5 gain", "6"),
        conv("6 g.weight", "out"),
    ],
    "half of a split": [node("Split", "y", "1 2", axis=1, num_outputs=2), conv("2 h.weight", "out")],
    "residual": [conv("y e8.weight", "1"), node("Add", "y 1", "2"), node("Add", "2 2", "3"), conv("3 e.weight", "out")],
    "shuffled": [node("DepthToSpace", "y", "out", blocksize=2, mode="CRD")],
    "shuffled in ONNX's order": [node("DepthToSpace", "y", "out", blocksize=2, mode="DCR")],
}
SIDES = {"a": (12, 8, 1, 1), "b": (3, 12, 1, 1), "c": (3, 8, 3, 3), "d": (8, 1, 3, 3), "e": (3, 8, 1, 1)}
SIDES |= {"e8": (8, 8, 1, 1), "g": (3, 6, 1, 1), "h": (3, 4, 1, 1)}


def weights(names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    random = np.random.default_rng(1)
    every = {f"{name}.weight": random.normal(0, 0.3, sides).astype(np.float32) for name, sides in SIDES.items()}
    every |= {"a.bias": random.normal(0, 0.3, 12).astype(np.float32)}
    return {name: every[name] for name in names}


def check(graph: Graph, inputs: dict[str, NDArray[np.generic]], weights: Any, share: float = 1e-2) -> None:
    """Compares the gradient along a direction with what the error does there."""
    whole, given = with_gradient(graph, "y", weights)
    network = Network(whole, given, "cpu")
    plain = Network(graph, weights, "cpu")
    random = np.random.default_rng(0)
    x_hat = plain(inputs)
    target = x_hat + random.normal(0, 0.2, x_hat.shape).astype(np.float32)
    mask = (random.random((1, 1, *x_hat.shape[2:])) < 0.7).astype(np.float32)
    known = {TARGET: target, MASK: mask}
    out, gradient = network.outputs(inputs | known)
    np.testing.assert_allclose(out, x_hat, atol=1e-5)

    direction = random.normal(size=inputs["y"].shape).astype(np.float32)
    # The error's seed is taken as it stands: a clamped output passes its gradient on.
    seed = ((np.clip(x_hat, 0, 1) - target) * mask).astype(np.float64)

    def along(step: float) -> float:
        moved = plain({**inputs, "y": (inputs["y"] + step * direction).astype(np.float32)})
        return float((moved * seed).sum())

    slope = (along(1e-2) - along(-1e-2)) / 2e-2
    found = float((gradient * direction).sum())
    assert found == pytest.approx(slope, rel=share, abs=share * float(np.abs(gradient * direction).sum()) / 10)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_gradient_is_what_the_error_does(name: str) -> None:
    given: dict[str, NDArray[np.generic]] = {"y": np.random.default_rng(2).normal(size=(1, 8, 5, 7)).astype(np.float32)}
    if name == "gate":
        given["gain"] = np.full((1, 6, 1, 1), 1.5, np.float32)
    check(Graph(dict.fromkeys(given, ("float32", 4)), tuple(GRAPHS[name]), ("out",)), given, weights)


@pytest.mark.parametrize("name", ["cwic-s", "cwic-m"])
def test_the_gradient_of_the_synthesis(name: str) -> None:
    model = catalog.open_model(name)
    assert isinstance(model, CwicModel)
    graph = model._networks["g_s"].graph
    y_hat = np.random.default_rng(3).normal(0, 0.5, (1, model.data.config.M, 8, 12)).astype(np.float32)
    inputs = {"y_hat": y_hat, **model._gains(model._networks["g_s"], 500), **model._windows(8, 12)}
    renamed = Graph(
        {("y" if key == "y_hat" else key): kind for key, kind in graph.inputs.items()},
        tuple(each._replace(inputs=tuple("y" if i == "y_hat" else i for i in each.inputs)) for each in graph.nodes),
        graph.outputs,
    )
    check(renamed, {("y" if key == "y_hat" else key): value for key, value in inputs.items()}, model.data.weights)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Sqrt", "y", "out")], "Sqrt has no adjoint"),
        ([node("Conv", "y e.weight", "out", group=1, pads=(0, 0, 0, 0), strides=(2, 2))], "strides"),
        ([conv("gain e8.weight", "out")], "does not depend on y"),
    ],
)
def test_what_has_no_gradient(nodes: list[Node], message: str) -> None:
    graph = Graph({"y": ("float32", 4), "gain": ("float32", 4)}, tuple(nodes), ("out",))
    with pytest.raises(ModelError, match=message):
        with_gradient(graph, "y", weights)
