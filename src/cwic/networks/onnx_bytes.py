"""Write graphs as ONNX bytes: the part of the format that engines need, without a library.

ONNX is a protocol buffer: a message is a row of fields, each a key (number << 3 | wire type) and a value, a varint or
a length and so many bytes. Field numbers are those of onnx.proto (https://github.com/onnx/onnx, IR version 9).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cwic.networks.graph import Attribute, Graph, Node

IR_VERSION = 9
OPSET = 20
_FLOAT, _INT64, _HALF = 1, 7, 10
_AS_HALF = ".half"
_TYPES = {"float32": _FLOAT, "int64": _INT64}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_INTS = 1, 2, 3, 7


def onnx_bytes(
    graph: Graph,
    weights: Mapping[str, NDArray[np.generic]],
    channels: Mapping[str, int] | None = None,
    *,
    halves: bool = False,
) -> bytes:
    """An ONNX model of `graph`, with those of `weights` that it uses: float16 and float32 as float32, or int64.

    `channels` are the second sides of inputs by name, where they are known: engines then find what does not fit them.
    With `halves`, float16 stays what it is in these bytes, and a node of its own makes float32 of each such tensor.
    """
    known = channels or {}
    small = [name for name in graph.weights() if halves and weights[name].dtype == np.float16]
    fields = [_message(1, _node(Node("Cast", (name + _AS_HALF,), (name,), {"to": _FLOAT}))) for name in small]
    fields += [_message(1, _node(node)) for node in graph.nodes]
    fields.append(_message(2, b"cwic"))
    fields += [_message(5, _tensor(name, weights[name])) for name in graph.weights() if name not in small]
    fields += [_message(5, _half_tensor(name + _AS_HALF, weights[name])) for name in small]
    fields += [
        _message(11, _value(name, _TYPES[kind], rank, known.get(name))) for name, (kind, rank) in graph.inputs.items()
    ]
    fields += [_message(12, _value(name, _FLOAT, 4)) for name in graph.outputs]
    return _integer(1, IR_VERSION) + _message(7, b"".join(fields)) + _message(8, _integer(2, OPSET))


def _node(node: Node) -> bytes:
    return b"".join(
        (
            *(_message(1, name.encode()) for name in node.inputs),
            *(_message(2, name.encode()) for name in node.outputs),
            _message(4, node.operator.encode()),
            *(_message(5, _attribute(name, value)) for name, value in node.attributes.items()),
        )
    )


def _attribute(name: str, value: Attribute) -> bytes:
    named = _message(1, name.encode())
    if isinstance(value, str):
        return named + _message(4, value.encode()) + _integer(20, _ATTRIBUTE_STRING)
    if isinstance(value, float):
        return named + b"\x15" + struct.pack("<f", value) + _integer(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return named + _integer(3, value) + _integer(20, _ATTRIBUTE_INT)
    return named + b"".join(_integer(8, number) for number in value) + _integer(20, _ATTRIBUTE_INTS)


def _tensor(name: str, array: NDArray[np.generic]) -> bytes:
    kind = "int64" if array.dtype.kind == "i" else "float32"
    data = np.ascontiguousarray(array, kind).astype(f"<{kind[0]}{np.dtype(kind).itemsize}", copy=False)
    return _raw_tensor(name, data, _TYPES[kind])


def _half_tensor(name: str, array: NDArray[np.generic]) -> bytes:
    return _raw_tensor(name, np.ascontiguousarray(array, "<f2"), _HALF)


def _raw_tensor(name: str, data: NDArray[np.generic], kind: int) -> bytes:
    dims = b"".join(_integer(1, side) for side in data.shape)
    return dims + _integer(2, kind) + _message(8, name.encode()) + _message(9, data.tobytes())


def _value(name: str, kind: int, rank: int, channels: int | None = None) -> bytes:
    """A graph input or output: its sides are whatever comes, but for `channels`, the second one."""
    sides = [_message(2, f"{name}.{axis}".encode()) for axis in range(rank)]
    if channels is not None:
        sides[1] = _integer(1, channels)
    shape = b"".join(_message(1, side) for side in sides)
    tensor = _integer(1, kind) + _message(2, shape)
    return _message(1, name.encode()) + _message(2, _message(1, tensor))


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, payload: bytes) -> bytes:
    return b"".join((_varint(field << 3 | 2), _varint(len(payload)), payload))


def _varint(value: int) -> bytes:
    """LEB128, negative numbers as 64-bit two's complement."""
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
