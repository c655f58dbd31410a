"""Graphs in C: a plan of layers for a graph, if C and numpy have all of its operators.

Large maps are worked on by `cwic.networks.native_layers`; what is left to numpy has few channels or a low resolution.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cwic.networks.graph import Graph, Node
from cwic.networks.native_layers import Block, Convolution, Depthwise, Linear, quantised
from cwic.networks.trunk import BLOCK, LAYERS, USES_INSIDE, VECTOR, UnknownError, is_block, kind_of, names_in, need

Floats = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]
QUANTISED = "/quantised"
"""Ends the names of maps as whole numbers: their floats have the names of the graph."""

ELEMENTWISE: dict[str, tuple[Callable[..., Any], int]] = {
    "Abs": (np.abs, 1),
    "Add": (np.add, 2),
    "Div": (np.divide, 2),
    "Log": (np.log, 1),
    "Min": (np.minimum, 2),
    "Mul": (np.multiply, 2),
    "Sub": (np.subtract, 2),
}
"""Operators by name, each with the number of its inputs."""


class Step(NamedTuple):
    """One step of a plan: `work` makes the output of the inputs. `last` are the values that no later step needs."""

    work: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    last: tuple[str, ...] = ()


def plan(library: ctypes.CDLL, graph: Graph, weights: Weights, channels: Mapping[str, int]) -> list[Step] | None:
    """Return the steps that compute a graph, or None if something in it is not known here.

    Args:
        library: from `cwic.libraries`.
        graph: the graph.
        weights: its tensors.
        channels: the channels of each input that is a map.
    """
    try:
        return _with_last_uses(list(_Planner(library, graph, weights, channels).steps()), graph.outputs)
    except (UnknownError, KeyError, ValueError):
        return None


def run(steps: Sequence[Step], graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> list[Floats]:
    """Return the outputs `[1, C, h, w]` of a planned graph."""
    values = {name: np.ascontiguousarray(x[0].transpose(1, 2, 0), np.float32) for name, x in inputs.items()}
    for step in steps:
        values[step.output] = step.work(*(values[name] for name in step.inputs))
        for name in step.last:
            del values[name]
    return [values[name].transpose(2, 0, 1)[None] for name in graph.outputs]


class _Planner:
    """Makes the steps of a plan, in the order of the nodes."""

    def __init__(self, library: ctypes.CDLL, graph: Graph, weights: Weights, channels: Mapping[str, int]) -> None:
        self._library, self._graph, self._weights = library, graph, weights
        self._channels = dict(channels)
        self._parts_of: dict[str, tuple[str, ...]] = {}
        """The maps that a concatenation is made of: it is not done, layers take the maps."""
        self._quantised: set[str] = set()
        self._uses = Counter(name for node in graph.nodes for name in node.inputs) + Counter(graph.outputs)

    def steps(self) -> Iterator[Step]:
        """Yield the steps. Raises `UnknownError`."""
        nodes = list(self._graph.nodes)
        while nodes:
            names = names_in(BLOCK, nodes)
            if names is not None and self._is_block(names, nodes):
                yield self._block(names, nodes)
                del nodes[: len(BLOCK)]
            elif self._is_shuffled(nodes):
                yield self._shuffled(*nodes[:2])
                del nodes[:2]
            else:
                yield from self._steps_of(nodes.pop(0))

    def _steps_of(self, node: Node) -> Iterator[Step]:
        if node.operator == "Concat":
            need(node.attributes.get("axis") == 1)
            parts = tuple(part for name in node.inputs for part in self._maps(name))
            self._parts_of[node.outputs[0]] = parts
            self._channels[node.outputs[0]] = sum(self._channels[part] for part in parts)
        elif node.operator == "Conv":
            yield from self._convolution(node)
        elif node.operator == "SpaceToDepth":
            side, (name,) = int(cast(int, node.attributes["blocksize"])), node.inputs
            yield self._step(lambda x: _space_to_depth(x, side), node, self._channels[name] * side * side)
        elif node.operator == "LeakyRelu":
            slope = np.float32(cast(float, node.attributes["alpha"]))
            need(bool(0 <= slope <= 1))
            yield self._step(lambda x: np.maximum(x, x * slope), node, self._channels[node.inputs[0]])
        else:
            need(node.operator in ELEMENTWISE)
            work, count = ELEMENTWISE[node.operator]
            need(len(node.inputs) == count)
            constants = [self._constant(name) if name in self._weights else None for name in node.inputs]
            channels = [self._channels[name] for name in node.inputs if name in self._channels]
            need(bool(channels))
            yield self._step(lambda *maps: work(*_filled(constants, maps)), node, max(channels))

    def _step(self, work: Callable[..., Floats], node: Node, channels: int) -> Step:
        """Return a step for a node that takes whole maps and gives one of so many channels."""
        names = tuple(name for name in node.inputs if name not in self._weights)
        need(len(node.outputs) == 1 and not any(name in self._parts_of for name in names))
        self._channels[node.outputs[0]] = channels
        return Step(work, names, node.outputs[0])

    def _convolution(self, node: Node) -> Iterator[Step]:
        parts, (weight, bias), output = self._maps(node.inputs[0]), self._tensors(node), node.outputs[0]
        kind, inputs = kind_of(self._weights, node), self._channels[node.inputs[0]]
        need(inputs == (len(weight) if kind == "depthwise" else weight.shape[1]))
        self._channels[output] = len(weight)
        if kind == "pointwise":
            linear = Linear(self._library, weight, bias)
            yield Step(lambda *maps: linear(_joined(maps)), parts, output)
        elif kind == "depthwise":
            need(len(weight) % VECTOR == 0)
            depthwise = Depthwise(self._library, weight, bias)
            yield Step(lambda *maps: depthwise(_joined(maps)), parts, output)
        elif weight.shape[0] > weight.shape[1]:
            # Maps that have few channels beside the outputs are put together, so that outputs are added to less often.
            library, convolution = self._library, Convolution(self._library, weight, bias, [weight.shape[1]])
            yield Step(lambda *maps: convolution(quantised(library, _joined(maps))), parts, output)
        else:
            for part in parts:
                need(self._channels[part] % 2 == 0)
                if part not in self._quantised:
                    self._quantised.add(part)
                    yield Step(partial(quantised, self._library), (part,), part + QUANTISED)
            by_part = Convolution(self._library, weight, bias, [self._channels[part] for part in parts])
            yield Step(by_part, tuple(part + QUANTISED for part in parts), output)

    def _is_shuffled(self, nodes: Sequence[Node]) -> bool:
        """Return whether a linear map comes, all of whose outputs the next node moves into space."""
        if [node.operator for node in nodes[:2]] != ["Conv", "DepthToSpace"]:
            return False
        linear, shuffle = nodes[:2]
        return (
            shuffle.inputs == linear.outputs
            and self._uses[linear.outputs[0]] == 1
            and shuffle.attributes.get("mode") == "CRD"
            and kind_of(self._weights, linear) == "pointwise"
        )

    def _shuffled(self, node: Node, shuffle: Node) -> Step:
        """Return a step that makes the channels of each pixel together, and then copies them to its place."""
        side, (weight, bias) = int(cast(int, shuffle.attributes["blocksize"])), self._tensors(node)
        need(len(weight) % (side * side) == 0 and self._channels[node.inputs[0]] == weight.shape[1])
        order = np.arange(len(weight)).reshape(-1, side * side).T.ravel()
        linear = Linear(self._library, weight[order], bias[order])
        self._channels[shuffle.outputs[0]] = len(weight) // (side * side)
        return Step(
            lambda *maps: _depth_to_space(linear(_joined(maps)), side), self._maps(node.inputs[0]), shuffle.outputs[0]
        )

    def _is_block(self, names: Mapping[str, str], nodes: Sequence[Node]) -> bool:
        """Return whether nodes that are linked as BLOCK are one: with its shapes, and not used from outside."""
        channels = self._channels.get(names["x"], 0)
        return (
            names["x"] not in self._parts_of
            and is_block(names, nodes, self._weights, channels)
            and names["spatial"] in self._graph.inputs
            and names["channel"] in self._graph.inputs
            and all(self._uses[names[name]] == count for name, count in USES_INSIDE.items())
        )

    def _block(self, names: Mapping[str, str], nodes: Sequence[Node]) -> Step:
        layers = [self._tensors(next(n for n in nodes if names[f"{each}.weight"] in n.inputs)) for each in LAYERS]
        weights, biases = zip(*layers, strict=True)
        block = Block(self._library, weights, biases, float(cast(float, nodes[1].attributes["alpha"])))
        self._channels[names["y"]] = self._channels[names["x"]]
        return Step(block, (names["x"], names["spatial"], names["channel"]), names["y"])

    def _maps(self, name: str) -> tuple[str, ...]:
        """Return the maps that a name stands for: more than one for a concatenation."""
        need(name in self._channels)
        return self._parts_of.get(name, (name,))

    def _tensors(self, node: Node) -> tuple[Floats, Floats]:
        """Return weights and biases of a convolution."""
        weight = self._tensor(node.inputs[1])
        bias = self._tensor(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(len(weight), np.float32)
        need(bias.shape == (len(weight),))
        return weight, bias

    def _tensor(self, name: str) -> Floats:
        need(name in self._weights)
        return np.ascontiguousarray(self._weights[name], np.float32)

    def _constant(self, name: str) -> Floats:
        """Return a tensor that maps are added to or multiplied by: a single number."""
        tensor = self._tensor(name)
        need(tensor.size == 1)
        return tensor.reshape(1, 1, 1).copy()


def _with_last_uses(steps: Sequence[Step], outputs: Sequence[str]) -> list[Step]:
    """Return the steps, each with the values that it is the last to need."""
    kept, marked = set(outputs), []
    for step in reversed(steps):
        last = tuple(name for name in dict.fromkeys((*step.inputs, step.output)) if name not in kept)
        kept.update(last)
        marked.append(step._replace(last=last))
    return marked[::-1]


def _filled(constants: Sequence[Floats | None], maps: Sequence[Floats]) -> Iterator[Floats]:
    """Yield the operands of an operator: constants, and maps where there is none."""
    given = iter(maps)
    for constant in constants:
        yield next(given) if constant is None else constant


def _joined(maps: Sequence[Floats]) -> Floats:
    return maps[0] if len(maps) == 1 else np.concatenate(maps, axis=2)


def _space_to_depth(x: Floats, side: int) -> Floats:
    h, w, channels = x.shape
    squares = x.reshape(h // side, side, w // side, side, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(squares).reshape(h // side, w // side, -1)


def _depth_to_space(x: Floats, side: int) -> Floats:
    h, w, channels = x.shape
    squares = x.reshape(h, w, side, side, channels // (side * side)).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(squares).reshape(h * side, w * side, -1)
