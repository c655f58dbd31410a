"""The inputs of window attention that depend on a map's size: masks, and borders up to whole windows.

Graphs have no sizes in them, so these are inputs of a graph, computed for each call. The masks are those of the
published network; `cwic.nn.windows` is the twin that trains, and says more.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MASKED = np.float32(-100.0)
"""Added to the logits of pairs that may not attend to one another."""
_PADDING = 9.0
"""The label of positions beyond the map."""


@lru_cache(maxsize=16)
def window_inputs(
    name: str, height: int, width: int, window: int, shift: int, cross: bool
) -> dict[str, NDArray[np.generic]]:
    """The inputs of an attention called `name` on a map of `height` by `width`.

    `NAME.borders` int64 `[8]` are the amounts that `Pad` adds up to whole windows, `NAME.ends` int64 `[2]` where to cut
    them off again. `NAME.own` and, if `cross`, `NAME.around` are masks float32 `[nH, nW, 1, n, n]`, query before key:
    0 or `MASKED`. The keys of `around` are in the order in which the graph cuts them: four quarters of the region, each
    in raster order.
    """
    rows, columns = (-(-side // window) * window for side in (height, width))
    label = _bands(rows, window, shift)[:, None] * 3 + _bands(columns, window, shift)
    beyond = (np.roll(np.arange(rows), -shift) >= height)[:, None] | (np.roll(np.arange(columns), -shift) >= width)
    label = np.where(beyond, np.float32(_PADDING), label)
    own = _cut(label, window)
    inputs: dict[str, NDArray[np.generic]] = {
        f"{name}.borders": np.array([0, 0, 0, 0, 0, 0, rows - height, columns - width], np.int64),
        f"{name}.ends": np.array([height, width], np.int64),
        f"{name}.own": _mask(own, own),
    }
    if cross:
        half = label.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3), dtype=np.float32)
        blocks = _cut(np.pad(half, window // 4, mode="reflect"), window // 2)
        quarters = (blocks[:-1, :-1], blocks[:-1, 1:], blocks[1:, :-1], blocks[1:, 1:])
        inputs[f"{name}.around"] = _mask(own, np.concatenate(quarters, axis=-1))
    return inputs


def _bands(size: int, window: int, shift: int) -> NDArray[np.float32]:
    """The three bands of a rolled axis: untouched windows, and the two parts of the last one that met by rolling."""
    band = np.zeros(size, np.float32)
    if shift:
        band[size - window :] = 1
        band[size - shift :] = 2
    return band


def _cut(x: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """`[H, W]` to squares in raster order `[H/side, W/side, side * side]`."""
    rows, columns = x.shape[0] // side, x.shape[1] // side
    return x.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows, columns, side * side)


def _mask(query: NDArray[np.float32], key: NDArray[np.float32]) -> NDArray[np.float32]:
    different = query[:, :, None, :, None] != key[:, :, None, None, :]
    return np.where(different, MASKED, np.float32(0))
