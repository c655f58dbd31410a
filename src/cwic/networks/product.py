"""Exact products of matrices of whole numbers, on the caller's thread.

ONNX Runtime multiplies, not numpy: numpy leaves products to a BLAS library whose threads are a setting of the whole
process, and those slow small products down many times on a busy machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.networks.graph import Graph, Node
from cwic.networks.onnx_bytes import onnx_bytes

PRODUCT_VARIABLE = "CWIC_INTEGER_MATMUL"
"""`float64` makes all products in float64, `numpy` those in float32 by numpy."""
LARGEST = 1 << 24
"""Sums of products below it are exact in float32, in any order of summation."""

Floats = NDArray[np.floating[Any]]


def product(a: Floats, b: Floats) -> Floats:
    """`a @ b` for whole numbers in float32, `[n, k]` and `[k, m]`, whose sums of magnitudes stay below 2^24.

    The result holds the exact integers, in float32, or in float64 where float32 products are not exact here.
    """
    return _chosen()(a, b)


@lru_cache(maxsize=1)
def _chosen() -> Callable[[Floats, Floats], Floats]:
    """The first way that a probe shows to be exact.

    Float32 is exact unless a library takes a shorter format on the quiet, as some do where it is fast. The probe
    multiplies operands whose sums are as large as they may become. Float64 is always exact.
    """
    ways = {"numpy": (np.matmul,), "float64": ()}.get(os.environ.get(PRODUCT_VARIABLE, ""), (_runtime, np.matmul))
    for way in ways:
        if _is_exact(way):
            return way
    return _doubles


def _doubles(a: Floats, b: Floats) -> Floats:
    product: Floats = a.astype(np.float64) @ b.astype(np.float64)
    return product


def _is_exact(way: Callable[[Floats, Floats], Floats]) -> bool:
    for rows, inner, columns in ((1, 64, 8), (33, 192, 192), (257, 1040, 96)):
        random = np.random.default_rng(inner)
        a, b = (random.integers(-127, 128, shape) for shape in ((rows, inner), (inner, columns)))
        a[0], b[:, 0] = 127, 127
        a[0, 0] = 126  # an odd sum: none of its bits may be lost
        if not np.array_equal(way(a.astype(np.float32), b.astype(np.float32)), a @ b):
            return False
    return True


_lock = Lock()
_session: Any = None
_ABANDONED: list[Any] = []


def _runtime(a: Floats, b: Floats) -> Floats:
    """ONNX Runtime's product, in the calling thread."""
    global _session
    if _session is None:
        with _lock:
            if _session is None:
                _session = _make_session()
    result: Floats = _session.run(None, {"a": a, "b": b})[0]
    return result


def _make_session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    graph = Graph({"a": ("float32", 2), "b": ("float32", 2)}, (Node("MatMul", ("a", "b"), ("c",), {}),), ("c",))
    return onnxruntime.InferenceSession(onnx_bytes(graph, {}), options, providers=["CPUExecutionProvider"])


def _after_fork() -> None:
    global _lock, _session
    _ABANDONED.append(_session)
    _lock, _session = Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
