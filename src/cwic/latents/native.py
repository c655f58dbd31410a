"""The exact prior in C: what `cwic.latents.quadtree` computes, several times as fast.

The browser's decoder is made from the same sources. Without a library (`cwic.libraries`) numpy computes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ctypes import CDLL
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.config import CwicConfig
from cwic.latents.passes import PASSES
from cwic.libraries import Handle, check_room
from cwic.threads import in_bands, thread_count

VALUE_LIMIT = 1 << 31
"""C holds decoded values below it."""
MOST_BLOCKS = 8
_ALIGNMENT = 16

Predicted = Callable[[int, NDArray[np.uint8], NDArray[np.int64]], NDArray[np.int32]]
"""Asked for the symbols of each pass, by its number, scale indexes and means, all of `[h/2, w/2, 4, M/4]`."""


class NativePrior:
    """The networks of a model in C. Calls may run in several threads at a time: they release the interpreter."""

    def __init__(self, library: CDLL, config: CwicConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Loads tensors that `cwic.latents.quadtree.QuadtreePrior` has proved to have the right shapes and bounds.

        Raises `MemoryError` if there is no room for them.
        """
        self._config = config
        padded = (_padded(tensors[name]) for name in _tensor_names(config.context_blocks))
        # C reads multipliers and biases where they lie.
        self._block = np.concatenate(list(padded))
        sizes = (config.M, config.hyper_channels, config.hyper_width, config.context_width, config.context_blocks)
        self._handle = Handle(library, library.exact_load(self._block.ctypes.data, *sizes))

    def traverse(self, z_hat: NDArray[np.int32], level: int, code: Predicted) -> NDArray[np.int64]:
        """`cwic.latents.quadtree.QuadtreePrior.traverse`, but for the form of what `code` is asked."""
        library = self._handle.library
        h, w = 4 * z_hat.shape[0], 4 * z_hat.shape[1]
        z = np.ascontiguousarray(z_hat, np.int16)
        shape = (h // 2, w // 2, 4, self._config.M // 4)
        y_hat = np.empty((h, w, self._config.M), np.int32)
        begun = Handle(library, library.exact_begin(self._handle.pointer, z.ctypes.data, h, w, level))
        for k in range(PASSES):
            indexes, means = np.empty(shape, np.uint8), np.empty(shape, np.int64)
            _in_bands(h, partial(_predict, begun, k, indexes, means))
            symbols = np.ascontiguousarray(code(k, indexes, means), np.int16)
            _in_bands(h, partial(_take, begun, k, symbols, means, y_hat))
        return y_hat.astype(np.int64)


def _in_bands(height: int, work: Callable[[int, int], None]) -> None:
    """A band for each thread, of whole pairs of rows: at its borders a few rows are computed twice."""
    pairs = height // 2
    in_bands(pairs, -(-pairs // thread_count()), lambda first, last: work(2 * first, 2 * last))


def _predict(
    begun: Handle, k: int, indexes: NDArray[np.uint8], means: NDArray[np.int64], first: int, last: int
) -> None:
    check_room(begun.library.exact_predict(begun.pointer, k, first, last, indexes.ctypes.data, means.ctypes.data))


def _take(
    begun: Handle,
    k: int,
    symbols: NDArray[np.int16],
    means: NDArray[np.int64],
    y_hat: NDArray[np.int32],
    first: int,
    last: int,
) -> None:
    addresses = symbols.ctypes.data, means.ctypes.data, y_hat.ctypes.data
    check_room(begun.library.exact_take(begun.pointer, k, first, last, *addresses))


def fits_c(config: CwicConfig) -> bool:
    """True if C has networks of the sizes of `config`: of widths that are multiples of 8, and few enough."""
    widths = (config.hyper_channels, config.hyper_width, config.context_width, config.M // 2)
    return not any(width % 8 for width in widths) and 1 <= config.context_blocks <= MOST_BLOCKS


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
