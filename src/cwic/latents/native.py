"""The exact prior in C: what `cwic.latents.quadtree` computes, several times as fast.

The sources lie in `native/` of the project; the browser's decoder is made from the same. Where installing cwic found
a C compiler, a library for each set of instructions lies beside this module. Without them numpy computes the same.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.config import CwicConfig
from cwic.errors import InputError
from cwic.latents.passes import PASSES

EXACT_VARIABLE = "CWIC_EXACT"
"""`numpy` leaves the prior to numpy; the name of a library takes that one. The default is the fastest that runs."""
LIBRARIES = ("plain", "avx2", "vnni")
"""For processors that have at least: what all of their kind have, AVX2, AVX-512 with VNNI. By their number in C."""
FOLDER = Path(__file__).parent / "native_libraries"
NUMPY = "numpy"
VALUE_LIMIT = 1 << 31
"""C holds decoded values below it."""
MOST_BLOCKS = 8
_ALIGNMENT = 16

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "exact_level": (_INT, []),
    "exact_load": (_POINTER, [_POINTER, *[_INT] * 5]),
    "exact_begin": (_POINTER, [_POINTER, _POINTER, *[_INT] * 3]),
    "exact_predict": (None, [_POINTER, _INT, _POINTER, _POINTER]),
    "exact_take": (None, [_POINTER, _INT, _POINTER, _POINTER, _POINTER]),
    "exact_end": (None, [_POINTER]),
}

Predicted = Callable[[int, NDArray[np.uint8], NDArray[np.int64]], NDArray[np.int32]]
"""Asked for the symbols of each pass, by its number, scale indexes and means, all of `[h/2, w/2, 4, M/4]`."""


class NativePrior:
    """The networks of a model in C. Calls may run in several threads at a time: they release the interpreter."""

    def __init__(self, library: ctypes.CDLL, config: CwicConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Loads tensors that `cwic.latents.quadtree.QuadtreePrior` has proved to have the right shapes and bounds.

        Raises `MemoryError` if there is no room for them.
        """
        self._library, self._config = library, config
        padded = (_padded(tensors[name]) for name in _tensor_names(config.context_blocks))
        # C reads multipliers and biases where they lie.
        self._block = np.concatenate(list(padded))
        sizes = (config.M, config.hyper_channels, config.hyper_width, config.context_width, config.context_blocks)
        handle = library.exact_load(self._block.ctypes.data, *sizes)
        if not handle:
            raise MemoryError(f"no room for networks of {sizes}")
        self._handle = handle
        # Not at the end of the process: other threads may still be coding.
        weakref.finalize(self, library.exact_end, handle).atexit = False

    def traverse(self, z_hat: NDArray[np.int32], level: int, code: Predicted) -> NDArray[np.int64]:
        """`cwic.latents.quadtree.QuadtreePrior.traverse`, but for the form of what `code` is asked."""
        h, w = 4 * z_hat.shape[0], 4 * z_hat.shape[1]
        z = np.ascontiguousarray(z_hat, np.int16)
        shape = (h // 2, w // 2, 4, self._config.M // 4)
        y_hat = np.empty((h, w, self._config.M), np.int32)
        handle = self._library.exact_begin(self._handle, z.ctypes.data, h, w, level)
        if not handle:
            raise MemoryError("no room for the latents of a tile")
        try:
            for k in range(PASSES):
                indexes, means = np.empty(shape, np.uint8), np.empty(shape, np.int64)
                self._library.exact_predict(handle, k, indexes.ctypes.data, means.ctypes.data)
                symbols = np.ascontiguousarray(code(k, indexes, means), np.int16)
                self._library.exact_take(handle, k, symbols.ctypes.data, means.ctypes.data, y_hat.ctypes.data)
        finally:
            self._library.exact_end(handle)
        return y_hat.astype(np.int64)


def fits_c(config: CwicConfig) -> bool:
    """True if C has networks of the sizes of `config`: of widths that are multiples of 8, and few enough."""
    widths = (config.hyper_channels, config.hyper_width, config.context_width, config.M // 2)
    return not any(width % 8 for width in widths) and 1 <= config.context_blocks <= MOST_BLOCKS


def chosen() -> str:
    """The way of computing: the library that EXACT_VARIABLE asks for, else the fastest that runs here, else numpy.

    Raises `InputError` for a library that is not here or does not run.
    """
    asked, runs = os.environ.get(EXACT_VARIABLE, ""), [NUMPY, *usable()]
    if asked and asked not in runs:
        raise InputError(f"{EXACT_VARIABLE} is {asked!r}: here it may be {', '.join(runs)}")
    return asked or runs[-1]


def library() -> ctypes.CDLL | None:
    """The library that is chosen; None for numpy. Raises as `chosen`."""
    name = chosen()
    return None if name == NUMPY else _opened(name)


@cache
def usable() -> list[str]:
    """The libraries that are here and run on this processor, the fastest last."""
    there = [name for name in LIBRARIES if _path(name).is_file()]
    try:
        level = _opened(there[0]).exact_level() if there else -1
    except OSError:  # made for another machine
        return []
    return [name for name in there if LIBRARIES.index(name) <= level]


@cache
def _opened(name: str) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(_path(name)))
    for function, (result, arguments) in _FUNCTIONS.items():
        getattr(opened, function).restype, getattr(opened, function).argtypes = result, arguments
    return opened


def _path(name: str) -> Path:
    return FOLDER / f"exact-{name}.so"


def _padded(tensor: NDArray[Any]) -> NDArray[np.uint8]:
    data = np.frombuffer(np.ascontiguousarray(tensor).tobytes(), np.uint8)
    return np.pad(data, (0, -len(data) % _ALIGNMENT))


def _tensor_names(blocks: int) -> Iterator[str]:
    """The tensors in the order of native/model.c."""
    for name in ("enter", "mix", "enlarge", "mix_enlarged", "leave"):
        yield from _layer(f"networks.h_s.{name}")
    yield from _layer("networks.context.embed")
    for k in range(PASSES):
        for i in range(blocks):
            for name in ("mix", "expand", "project"):
                yield from _layer(f"networks.context.blocks.{k}.{i}.{name}")
        yield from _layer(f"networks.context.heads.{k}")
        yield f"networks.context.level.{k}.value"
    yield from ("networks.log2_gain.value", "networks.z_log2_scale.value")
    yield from ("exp2_table", "magnitude_table", "gain_magnitude_table")


def _layer(name: str) -> Iterator[str]:
    yield from (f"{name}.{part}" for part in ("weight", "multiplier", "bias"))
