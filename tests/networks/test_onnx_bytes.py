"""The bytes are read back by the onnx package, which is what the format's authors keep."""

from __future__ import annotations

import numpy as np
import pytest

from cwic.networks.graph import Graph, Node
from cwic.networks.onnx_bytes import OPSET, onnx_bytes

GRAPH = Graph(
    {"x": ("float32", 4), "borders": ("int64", 1)},
    (
        Node("Pad", ("x", "borders"), ("a",), {"mode": "constant"}),
        Node("Conv", ("a", "w", "b"), ("c",), {"group": 1, "pads": (1, 1, 1, 1), "strides": (2, 1)}),
        Node("LeakyRelu", ("c",), ("d",), {"alpha": 0.125}),
        Node("Softmax", ("d",), ("y",), {"axis": -1}),
    ),
    ("y",),
)
RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "w": RANDOM.standard_normal((5, 3, 3, 3)).astype(np.float16),
    "b": RANDOM.standard_normal(5).astype(np.float32),
    "unused": np.zeros(1000, np.float32),
}


def test_a_library_reads_the_same_model() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(onnx_bytes(GRAPH, WEIGHTS))
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    graph = model.graph
    assert [node.op_type for node in graph.node] == [node.operator for node in GRAPH.nodes]
    assert [list(node.input) for node in graph.node] == [list(node.inputs) for node in GRAPH.nodes]
    found = [{a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for node in graph.node]
    assert found == [
        {"mode": b"constant"},
        {"group": 1, "pads": [1, 1, 1, 1], "strides": [2, 1]},
        {"alpha": 0.125},
        {"axis": -1},
    ]
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    assert tensors.keys() == {"w", "b"}
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, WEIGHTS[name].astype(np.float32))
    assert [entry.name for entry in (*graph.input, *graph.output)] == ["x", "borders", "y"]


def test_channels_are_told_where_they_are_known() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(onnx_bytes(GRAPH, WEIGHTS, {"x": 3}))
    onnx.checker.check_model(model, full_check=True)
    x, borders = model.graph.input
    assert [side.dim_value for side in x.type.tensor_type.shape.dim] == [0, 3, 0, 0]
    assert [side.dim_param for side in borders.type.tensor_type.shape.dim] == ["borders.0"]


def test_whole_numbers_become_int64() -> None:
    onnx = pytest.importorskip("onnx")
    graph = Graph({"x": ("float32", 4)}, (Node("Reshape", ("x", "shape"), ("y",), {}),), ("y",))
    model = onnx.load_from_string(onnx_bytes(graph, {"shape": np.array([1, -1, 0, 2], np.int32)}))
    (tensor,) = model.graph.initializer
    assert onnx.numpy_helper.to_array(tensor).tolist() == [1, -1, 0, 2]
    assert tensor.data_type == onnx.TensorProto.INT64


def test_halves_stay_halves_and_become_floats_when_loaded() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(onnx_bytes(GRAPH, WEIGHTS, halves=True))
    onnx.checker.check_model(model, full_check=True)
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {"w.half": np.float16, "b": np.float32}
    np.testing.assert_array_equal(tensors["w.half"], WEIGHTS["w"])
    cast = model.graph.node[0]
    assert (cast.op_type, cast.input[0], cast.output[0]) == ("Cast", "w.half", "w")
    assert [node.op_type for node in model.graph.node[1:]] == [node.operator for node in GRAPH.nodes]
