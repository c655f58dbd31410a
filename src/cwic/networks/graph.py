"""Graphs of the float networks: operators from a closed list on named tensors, kept as data in a weight file.

A graph is what ONNX calls one, without its weights: those are tensors of the weight file, and the graph names them.
`cwic.networks.onnx_bytes` turns both into the bytes that an engine reads. Nothing in a graph is code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cwic.errors import ModelError

OPERATORS: dict[str, tuple[str, ...]] = {
    "Abs": (),
    "Add": (),
    "AveragePool": ("kernel_shape", "strides"),
    "Concat": ("axis",),
    "Conv": ("group", "pads", "strides"),
    "ConvTranspose": ("output_padding", "pads", "strides"),
    "DepthToSpace": ("blocksize", "mode"),
    "Div": (),
    "Gelu": (),
    "LeakyRelu": ("alpha",),
    "Log": (),
    "MatMul": (),
    "Min": (),
    "Mul": (),
    "Pad": ("mode",),
    "Relu": (),
    "Reshape": (),
    "Sigmoid": (),
    "Slice": (),
    "Softmax": ("axis",),
    "SpaceToDepth": ("blocksize",),
    "Split": ("axis", "num_outputs"),
    "Sqrt": (),
    "Sub": (),
    "Transpose": ("perm",),
}
"""The operators of ONNX (opset 20) that a graph may use, and the attributes that each may have."""

MAX_NODES = 4096
MAX_ATTRIBUTE = 4096
"""Of the numbers in an attribute: far more than a stride, an axis or a block needs."""
MODES = ("CRD", "DCR", "constant", "reflect")

GAIN = ".log2_gain"

Attribute = int | float | str | Sequence[int]


class Node(NamedTuple):
    """One operator. Inputs are graph inputs, outputs of nodes before it, or tensors of the weight file."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]


class Graph(NamedTuple):
    """A network: named inputs, each with its type ("float32" or "int64") and rank, nodes in order, named outputs."""

    inputs: dict[str, tuple[str, int]]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def weights(self) -> list[str]:
        """The tensors of the weight file that the graph uses, each once."""
        made = {*self.inputs, *(name for node in self.nodes for name in node.outputs)}
        return list(dict.fromkeys(name for node in self.nodes for name in node.inputs if name not in made))

    def gains(self) -> list[str]:
        """The inputs that are gains at the level of the picture: each has the name of the tensor of its knots."""
        return [name for name in self.inputs if name.endswith(GAIN)]

    def to_data(self) -> dict[str, Any]:
        """The graph as JSON holds it."""
        return {
            "inputs": {name: list(kind) for name, kind in self.inputs.items()},
            "nodes": [list(node) for node in self.nodes],
            "outputs": list(self.outputs),
        }

    @classmethod
    def from_data(cls, data: Any, tensors: Mapping[str, object]) -> Graph:
        """The inverse of `to_data`, checked. `tensors` are the names that the weight file has.

        Raises:
            ModelError: an operator, an attribute or a type that is not on the list, or a name that nothing defines.
        """
        try:
            inputs = {str(name): (str(kind), int(rank)) for name, (kind, rank) in data["inputs"].items()}
            nodes = tuple(
                Node(str(operator), tuple(map(str, ins)), tuple(map(str, outs)), dict(attributes))
                for operator, ins, outs, attributes in data["nodes"]
            )
            graph = cls(inputs, nodes, tuple(map(str, data["outputs"])))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"a graph of the weight file is malformed: {error!r}") from error
        graph._check(tensors)
        return graph

    def _check(self, tensors: Mapping[str, object]) -> None:
        if len(self.nodes) > MAX_NODES:
            raise ModelError(f"a graph of the weight file has {len(self.nodes)} nodes, more than {MAX_NODES}")
        for name, (kind, rank) in self.inputs.items():
            if kind not in ("float32", "int64") or not 1 <= rank <= 6:
                raise ModelError(f"input {name} of a graph has type {kind} and rank {rank}")
        known = {*self.inputs, *tensors}
        for node in self.nodes:
            allowed = OPERATORS.get(node.operator)
            if allowed is None:
                raise ModelError(f"a graph of the weight file has the operator {node.operator}, which is not allowed")
            for name, value in node.attributes.items():
                if name not in allowed or not _is_plain(value):
                    raise ModelError(f"{node.operator} of a graph has the attribute {name} = {value!r}")
            for name in node.inputs:
                if name not in known:
                    raise ModelError(f"{node.operator} of a graph reads {name}, which nothing defines")
            for name in node.outputs:
                if name in known:
                    raise ModelError(f"{node.operator} of a graph defines {name} again")
            known.update(node.outputs)
        for name in self.outputs:
            if name not in known:
                raise ModelError(f"a graph of the weight file gives {name}, which nothing defines")


def _is_plain(value: Any) -> bool:
    """Return whether an attribute is a small number, a list of small numbers, or one of the modes."""
    if isinstance(value, str):
        return value in MODES
    numbers = value if isinstance(value, list | tuple) else [value]
    return all(
        isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= MAX_ATTRIBUTE
        for number in numbers
    )
