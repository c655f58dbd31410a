from __future__ import annotations

from typing import Any

import pytest

from cwic.errors import ModelError
from cwic.networks.graph import MAX_NODES, OPERATORS, Graph, Node

GRAPH = Graph(
    {"x": ("float32", 4), "block.log2_gain": ("float32", 4)},
    (
        Node("Conv", ("x", "w.weight", "w.bias"), ("a",), {"group": 1, "pads": (1, 1, 1, 1), "strides": (1, 1)}),
        Node("LeakyRelu", ("a",), ("b",), {"alpha": 0.1}),
        Node("Split", ("b",), ("c", "d"), {"axis": 1, "num_outputs": 2}),
        Node("Mul", ("c", "block.log2_gain"), ("e",), {}),
        Node("Conv", ("e", "w.weight"), ("f",), {"group": 1}),
    ),
    ("f",),
)
TENSORS = {"w.weight": object(), "w.bias": object()}


def test_a_graph_knows_its_weights_and_its_gains() -> None:
    assert GRAPH.weights() == ["w.weight", "w.bias"]
    assert GRAPH.gains() == ["block.log2_gain"]


def test_data_is_the_graph_again() -> None:
    found = Graph.from_data(GRAPH.to_data(), TENSORS)
    assert found.inputs == GRAPH.inputs
    assert found.outputs == GRAPH.outputs
    assert [node[:3] for node in found.nodes] == [node[:3] for node in GRAPH.nodes]
    assert [list(node.attributes) for node in found.nodes] == [list(node.attributes) for node in GRAPH.nodes]


def changed(**parts: Any) -> dict[str, Any]:
    return GRAPH.to_data() | parts


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "malformed"),
        ([], "malformed"),
        (changed(nodes=[["Conv", ["x"]]]), "malformed"),
        (changed(nodes=[["Conv", ["x"], ["f"], [1]]]), "malformed"),
        (changed(inputs={"x": ["float32", "many"]}), "malformed"),
        (changed(inputs={"x": ["string", 4]}), "has type string"),
        (changed(inputs={"x": ["float32", 9]}), "rank 9"),
        (changed(nodes=[["If", ["x"], ["f"], {}]]), "operator If, which is not allowed"),
        (changed(nodes=[["Loop", ["x"], ["f"], {}]]), "operator Loop"),
        (changed(nodes=[["Conv", ["x"], ["f"], {"auto_pad": "VALID"}]]), "attribute auto_pad"),
        (changed(nodes=[["Conv", ["x"], ["f"], {"group": 10**9}]]), "attribute group = 1000000000"),
        (changed(nodes=[["Conv", ["x"], ["f"], {"pads": [0, -(10**9)]}]]), "attribute pads"),
        (changed(nodes=[["Conv", ["x"], ["f"], {"group": True}]]), "attribute group = True"),
        (changed(nodes=[["Pad", ["x"], ["f"], {"mode": "anything"}]]), "attribute mode = 'anything'"),
        (changed(nodes=[["Pad", ["x"], ["f"], {"mode": "edge"}]]), "attribute mode = 'edge'"),
        (changed(nodes=[["Relu", ["y"], ["f"], {}]]), "reads y, which nothing defines"),
        (changed(nodes=[["Relu", ["f"], ["f"], {}]]), "reads f"),
        (changed(nodes=[["Relu", ["x"], ["x"], {}]]), "defines x again"),
        (changed(nodes=[["Relu", ["x"], ["w.bias"], {}]]), r"defines w\.bias again"),
        (changed(outputs=["z"]), "gives z, which nothing defines"),
        (changed(nodes=[["Relu", ["x"], [f"n{i}"], {}] for i in range(MAX_NODES + 1)]), "4097 nodes"),
    ],
)
def test_what_is_not_on_the_list_is_refused(data: Any, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        Graph.from_data(data, TENSORS)


def test_no_operator_holds_code_or_reads_files() -> None:
    assert not {"If", "Loop", "Scan", "SequenceMap", "Random", "RandomNormal"} & OPERATORS.keys()
