"""The form of a trunk in a graph: its blocks, and the convolutions that C knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from numpy.typing import NDArray

from cwic.networks.graph import Graph, Node

Weights = Mapping[str, NDArray[Any]]

BLOCK = (
    Node("Conv", ("x", "expand.weight", "expand.bias"), ("expanded",), {}),
    Node("LeakyRelu", ("expanded",), ("bent",), {}),
    Node("Conv", ("bent", "depthwise.weight", "depthwise.bias"), ("mixed",), {}),
    Node("Mul", ("mixed", "spatial"), ("scaled",), {}),
    Node("Conv", ("scaled", "project.weight", "project.bias"), ("projected",), {}),
    Node("Add", ("x", "projected"), ("sum",), {}),
    Node("Conv", ("sum", "gate.weight", "gate.bias"), ("gates",), {}),
    Node("Split", ("gates",), ("a", "b"), {}),
    Node("Sigmoid", ("b",), ("share",), {}),
    Node("Mul", ("a", "share"), ("gated",), {}),
    Node("Mul", ("gated", "channel"), ("chosen",), {}),
    Node("Conv", ("chosen", "merge.weight", "merge.bias"), ("merged",), {}),
    Node("Add", ("sum", "merged"), ("y",), {}),
)
"""The operators of a block of a trunk, as an export writes them (`cwic.lab.cwic_export`)."""
_SPLIT = 7
VECTOR = 16
"""Depth-wise convolutions in C have a multiple of so many channels."""
LAYERS = ("expand", "project", "gate", "merge", "depthwise")
"""The layers of a block, in the order in which C takes their weights."""
USES_INSIDE = Counter(name for node in BLOCK for name in node.inputs if any(name in before.outputs for before in BLOCK))
"""The number of times that the block itself uses each result inside it."""


class UnknownError(Exception):
    """An operator, or a form of one, that is not here."""


class Synthesis(NamedTuple):
    """A graph that is a linear map from latents, blocks, and a linear map to pixels, by the names of its tensors.

    Attributes:
        enter: the weights of the first map.
        blocks: of each block the weights and the biases of LAYERS, and the inputs that are its two gains.
        slope: that of the leaky ReLU in the blocks.
        leave: the weights and the biases of the last map.
    """

    enter: str
    blocks: list[list[str]]
    slope: float
    leave: list[str]


def synthesis_of(graph: Graph, weights: Weights) -> Synthesis | None:
    """Return the parts of a graph that is a synthesis without attention, or None if it is something else."""
    try:
        need(graph.outputs == graph.nodes[-1].outputs)
        return _synthesis_of(list(graph.nodes), weights)
    except (UnknownError, KeyError, IndexError):
        return None


def _synthesis_of(nodes: list[Node], weights: Weights) -> Synthesis:
    enter, leave = nodes[0], nodes[-2]
    for linear, shuffle, side in ((enter, nodes[1], 2), (leave, nodes[-1], 8)):
        need(linear.operator == "Conv" and kind_of(weights, linear) == "pointwise")
        need(shuffle.operator == "DepthToSpace" and shuffle.inputs == linear.outputs)
        need(shuffle.attributes == {"blocksize": side, "mode": "CRD"})
    channels, last = len(weights[enter.inputs[1]]) // 4, nodes[1].outputs[0]
    need(len(enter.inputs) == 2 and weights[leave.inputs[1]].shape[:2] == (192, channels))
    blocks, slopes, rest = [], set(), nodes[2:-2]
    while rest:
        names = names_in(BLOCK, rest)
        if names is None or names["x"] != last or not is_block(names, rest, weights, channels):
            raise UnknownError
        own = [names[f"{layer}.{kind}"] for kind in ("weight", "bias") for layer in LAYERS]
        blocks.append([*own, names["spatial"], names["channel"]])
        slopes.add(float(cast(float, rest[1].attributes["alpha"])))
        last, rest = names["y"], rest[len(BLOCK) :]
    need(len(slopes) <= 1 and leave.inputs[0] == last)
    return Synthesis(enter.inputs[1], blocks, min(slopes, default=0.0), list(leave.inputs[1:]))


def is_block(names: Mapping[str, str], nodes: Sequence[Node], weights: Weights, channels: int) -> bool:
    """Return whether nodes that are linked as BLOCK have the shapes and attributes of one. Raises `UnknownError`."""
    kinds = [kind_of(weights, node) for node in nodes[: len(BLOCK)] if node.operator == "Conv"]
    shapes = [weights[names[f"{layer}.weight"]].shape[:2] for layer in LAYERS]
    square, split = (channels, channels), nodes[_SPLIT].attributes
    return (
        channels % VECTOR == 0
        and kinds == ["pointwise", "depthwise", "pointwise", "pointwise", "pointwise"]
        and shapes == [square, square, (2 * channels, channels), square, (channels, 1)]
        and (split.get("axis"), split.get("num_outputs")) == (1, 2)
    )


def kind_of(weights: Weights, node: Node) -> str:
    """Return the kind of a convolution: pointwise, or of 3x3, depthwise or whole. Raises `UnknownError`."""
    shape, group = weights[node.inputs[1]].shape, node.attributes.get("group", 1)
    pads, strides = (list(cast(Sequence[int], node.attributes.get(name, ()))) for name in ("pads", "strides"))
    need(strides in ([], [1, 1]) and len(shape) == 4)
    if shape[2:] == (1, 1) and not any(pads):
        need(group == 1 and shape[1] % 2 == 0)
        return "pointwise"
    need(shape[2:] == (3, 3) and pads == [1, 1, 1, 1])
    if group == shape[0] and shape[1] == 1:
        return "depthwise"
    need(group == 1 and shape[1] % 2 == 0)
    return "whole"


def names_in(pattern: Sequence[Node], nodes: Sequence[Node]) -> dict[str, str] | None:
    """Return what the names of a pattern stand for in the first nodes, if they have its operators, linked as there."""
    names: dict[str, str] = {}
    for own, node in zip(pattern, nodes, strict=False):
        if own.operator != node.operator or (len(own.inputs), len(own.outputs)) != (
            len(node.inputs),
            len(node.outputs),
        ):
            return None
        for name, there in zip((*own.inputs, *own.outputs), (*node.inputs, *node.outputs), strict=True):
            if names.setdefault(name, there) != there:
                return None
    return names if len(nodes) >= len(pattern) else None


def need(is_known: bool) -> None:
    """Raise `UnknownError` for what is not known."""
    if not is_known:
        raise UnknownError
