from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cwic.models import catalog
from cwic.networks.graph import Graph, Node
from cwic.networks.trunk import BLOCK, LAYERS, names_in, synthesis_of


def synthesis(name: str) -> tuple[Graph, Any]:
    data = catalog.open_model(name).data
    graph = data.graphs["g_s"]
    return graph, data.weights(graph.weights())


@pytest.mark.parametrize(("name", "blocks"), [("cwic-s", 4), ("cwic-m", 16), ("cwic-s-eye", 4)])
def test_a_synthesis_without_attention_is_recognised(name: str, blocks: int) -> None:
    graph, weights = synthesis(name)
    found = synthesis_of(graph, weights)
    assert found is not None
    assert len(found.blocks) == blocks
    assert found.enter == "g_s.haar.weight"
    assert found.blocks[1][0] == "g_s.blocks.1.expand.weight"
    assert found.blocks[1][len(LAYERS)] == "g_s.blocks.1.expand.bias"
    assert found.blocks[1][-2:] == [f"g_s.blocks.1.{kind}_gain.log2_gain" for kind in ("spatial", "channel")]
    assert found.slope == pytest.approx(0.1)


def test_attention_is_something_else() -> None:
    assert synthesis_of(*synthesis("cwic-m-1")) is None


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (1, {"attributes": {"blocksize": 2, "mode": "DCR"}}),
        (2, {"inputs": ("y_hat", "g_s.blocks.0.expand.weight", "g_s.blocks.0.expand.bias")}),
        (3, {"attributes": {"alpha": 0.3}}),
        (-2, {"attributes": {"group": 1, "pads": (0, 0, 0, 0), "strides": (2, 2)}}),
        (-1, {"attributes": {"blocksize": 4, "mode": "CRD"}}),
        (-1, {"outputs": ("other",)}),
    ],
)
def test_what_is_nearly_a_synthesis_is_none(place: int, change: dict[str, Any]) -> None:
    graph, weights = synthesis("cwic-s")
    nodes = list(graph.nodes)
    nodes[place] = nodes[place]._replace(**change)
    assert synthesis_of(graph._replace(nodes=tuple(nodes)), weights) is None


@pytest.mark.parametrize(("width", "is_known"), [(48, True), (24, False)])
def test_the_width_is_one_that_c_has(width: int, is_known: bool) -> None:
    graph, weights = synthesis("cwic-s")
    changed = {192: width, 384: 2 * width, 768: 4 * width}
    others = {name: np.zeros([changed.get(side, side) for side in each.shape]) for name, each in weights.items()}
    others["g_s.block_transform.weight"] = np.zeros((192, width, 1, 1))
    nodes = [
        node._replace(attributes={key: width if value == 192 else value for key, value in node.attributes.items()})
        for node in graph.nodes
    ]
    assert (synthesis_of(graph._replace(nodes=tuple(nodes)), others) is not None) == is_known


def test_a_graph_that_is_too_short_is_none() -> None:
    graph, weights = synthesis("cwic-s")
    assert synthesis_of(graph._replace(nodes=graph.nodes[-1:]), weights) is None


def test_names_stand_for_the_same_everywhere() -> None:
    renamed = [
        Node(node.operator, tuple(f"{n}!" for n in node.inputs), tuple(f"{n}!" for n in node.outputs), {})
        for node in BLOCK
    ]
    names = names_in(BLOCK, [*renamed, Node("Abs", ("y!",), ("z",), {})])
    assert names is not None
    assert names["sum"] == "sum!"
    assert names_in(BLOCK, renamed[:-1]) is None
    renamed[5] = renamed[5]._replace(inputs=("other", "projected!"))
    assert names_in(BLOCK, renamed) is None
