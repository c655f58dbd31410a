"""Extend a graph by the gradient of its squared error: the adjoints of its operators follow it, in reverse order.

An encoder that searches for better latents follows the gradient. It needs no further weights: the adjoint of a
convolution is a convolution with the same kernel, turned by 180 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.networks.graph import Attribute, Graph, Node

Array = NDArray[np.generic]
Weights = Callable[[list[str]], Mapping[str, Array]]

TARGET, MASK, GRADIENT = "target", "mask", "gradient"
"""The names of two inputs and of the second output. The target `[B, C, H, W]` is compared with the output; the mask
`[B, 1, H, W]` is 1 where that counts, otherwise 0."""


def with_gradient(graph: Graph, of: str, weights: Weights) -> tuple[Graph, Weights]:
    """Return a graph with two outputs: that of `graph`, and a gradient by one of its inputs.

    The gradient is that of `sum(mask * (output - target)**2) / 2`. An output outside [0, 1] is compared as the nearest
    value inside, and the gradient passes straight through. The gradient does not flow through attention: see
    `_Reverse.STOPS`.

    Args:
        graph: a network with one output `[B, C, H, W]`.
        of: the input that the gradient is taken by.
        weights: gives the tensors of `graph` by their names.

    Returns:
        The graph, with two more inputs, and a function that gives its weights.

    Raises:
        ModelError: an operator of the graph has no adjoint here.
    """
    reverse = _Reverse(graph, weights)
    made = reverse.run(of)
    inputs = {**graph.inputs, TARGET: ("float32", 4), MASK: ("float32", 4)}
    nodes = (*graph.nodes, *reverse.nodes, Node("Identity", (made,), (GRADIENT,), {}))
    return Graph(inputs, nodes, (*graph.outputs, GRADIENT)), reverse.weights


class _Reverse:
    """A builder of the nodes of a gradient."""

    STOPS = frozenset({"MatMul", "Softmax", "Reshape", "Transpose", "Slice", "Pad", "AveragePool", "Concat"})
    """The operators of attention, at which the gradient stops: attention contributes next to nothing to it."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.nodes: list[Node] = []
        self._graph, self._source = graph, weights
        self._turned: dict[str, str] = {}
        self._constants: dict[str, Array] = {}
        self._gradients: dict[str, str] = {}

    def run(self, of: str) -> str:
        """Write all nodes, and return the name of the gradient by the input `of`. Raises `ModelError`."""
        active = self._depend_on(of)
        (output,) = self._graph.outputs
        clipped = self._put("Min", self._put("Relu", output), self._constant(1))
        self._gradients[output] = self._put("Mul", self._put("Sub", clipped, TARGET), MASK)
        for node in reversed(self._graph.nodes):
            if node.operator in self.STOPS or not any(name in self._gradients for name in node.outputs):
                continue
            if node.operator not in self._RULES:
                raise ModelError(f"the network has no gradient: {node.operator} has no adjoint here")
            for name, gradient in self._RULES[node.operator](self, node, [name in active for name in node.inputs]):
                known = self._gradients.get(name)
                self._gradients[name] = gradient if known is None else self._put("Add", known, gradient)
        if of not in self._gradients:
            raise ModelError(f"the network has no gradient: its output does not depend on {of}")
        return self._gradients[of]

    def weights(self, names: list[str]) -> dict[str, Array]:
        """Return tensors of the whole graph, by their names."""
        plain = [name for name in names if name not in self._turned and name not in self._constants]
        found = dict(self._source([*plain, *(self._turned[name] for name in names if name in self._turned)]))
        for name in names:
            if name in self._turned:
                found[name] = _turned(found[self._turned[name]])
            elif name in self._constants:
                found[name] = self._constants[name]
        return {name: found[name] for name in names}

    def _depend_on(self, of: str) -> set[str]:
        active = {of}
        for node in self._graph.nodes:
            if not active.isdisjoint(node.inputs):
                active.update(node.outputs)
        return active

    def _conv(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        attributes = node.attributes
        if set(_listed(attributes["strides"])) != {1} or len(set(_listed(attributes["pads"]))) != 1:
            raise ModelError("the network has no gradient: a convolution with strides has no adjoint here")
        turned = f"{node.inputs[1]}.turned"
        self._turned[turned] = node.inputs[1]
        return [(node.inputs[0], self._put("Conv", self._of(node), turned, **attributes))]

    def _add(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        return [(name, self._of(node)) for name, is_active in zip(node.inputs, active, strict=True) if is_active]

    def _mul(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        factors = zip(node.inputs, reversed(node.inputs), active, strict=True)
        return [(name, self._put("Mul", self._of(node), other)) for name, other, is_active in factors if is_active]

    def _leakyrelu(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        alpha = float(node.attributes["alpha"])  # type: ignore[arg-type]
        half = self._put("Mul", self._put("Sign", node.inputs[0]), self._constant((1 - alpha) / 2))
        slope = self._put("Add", half, self._constant((1 + alpha) / 2))
        return [(node.inputs[0], self._put("Mul", self._of(node), slope))]

    def _sigmoid(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        rest = self._put("Sub", self._constant(1), node.outputs[0])
        slope = self._put("Mul", node.outputs[0], rest)
        return [(node.inputs[0], self._put("Mul", self._of(node), slope))]

    def _gelu(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        """Write the adjoint of GELU.

        The slope of x P(x) is P(x) + x p(x), with the normal distribution P and its density p.
        """
        x = node.inputs[0]
        error = self._put("Erf", self._put("Mul", x, self._constant(0.5**0.5)))
        below = self._put("Mul", self._put("Add", error, self._constant(1)), self._constant(0.5))
        bell = self._put("Exp", self._put("Mul", self._put("Mul", x, x), self._constant(-0.5)))
        density = self._put("Mul", bell, self._constant((2 * np.pi) ** -0.5))
        slope = self._put("Add", below, self._put("Mul", x, density))
        return [(x, self._put("Mul", self._of(node), slope))]

    def _split(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        parts = [self._gradients.get(name) or self._put("Mul", name, self._constant(0)) for name in node.outputs]
        return [(node.inputs[0], self._put("Concat", *parts, axis=node.attributes["axis"]))]

    def _depthtospace(self, node: Node, active: Sequence[bool]) -> list[tuple[str, str]]:
        """Write the inverse. ONNX's SpaceToDepth puts places in a block before channels, which inverts the mode DCR."""
        block = int(node.attributes["blocksize"])  # type: ignore[arg-type]
        if node.attributes["mode"] == "DCR":
            return [(node.inputs[0], self._put("SpaceToDepth", self._of(node), blocksize=block))]
        # For the other mode, each channel becomes a picture of the batch; 0 leaves a side as it is.
        apart = self._put("Reshape", self._of(node), self._shape(-1, 1, 0, 0))
        packed = self._put("SpaceToDepth", apart, blocksize=block)
        return [(node.inputs[0], self._put("Reshape", packed, self._shape(1, -1, 0, 0)))]

    _RULES: ClassVar = {
        "Add": _add,
        "Conv": _conv,
        "DepthToSpace": _depthtospace,
        "Gelu": _gelu,
        "LeakyRelu": _leakyrelu,
        "Mul": _mul,
        "Sigmoid": _sigmoid,
        "Split": _split,
    }
    """The rules by operator. A rule takes a node and, for each of its inputs, whether that depends on the input in
    question. It returns pairs: the name of an input that has a gradient, and the name of that gradient."""

    def _of(self, node: Node) -> str:
        return self._gradients[node.outputs[0]]

    def _constant(self, value: float) -> str:
        name = f"constant {value:g}"
        self._constants[name] = np.full(1, value, np.float32)
        return name

    def _shape(self, *sides: int) -> str:
        name = f"shape {sides}"
        self._constants[name] = np.array(sides)
        return name

    def _put(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        name = f"adjoint {len(self.nodes)}"
        self.nodes.append(Node(operator, inputs, (name,), attributes))
        return name


def _listed(value: Attribute) -> Sequence[int]:
    return value if not isinstance(value, int | float | str) else [int(value)]


def _turned(kernel: Array) -> Array:
    """Return the kernel of the adjoint of a convolution, `[O, I, h, w]`, or `[C, 1, h, w]` for a depth-wise one."""
    turned = kernel[..., ::-1, ::-1]
    return np.ascontiguousarray(turned if kernel.shape[1] == 1 else turned.swapaxes(0, 1))
