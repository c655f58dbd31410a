"""The order in which the quadtree visits the latents, written once for both directions (docs/format.md, section 6.2).

Positions fall into four spatial phases (p = 2 * (row mod 2) + column mod 2) and channels into four groups (g = channel
mod 4). Pass k visits, at a position of phase p, the channels of group `p xor STEPS[k]`: after four passes every group
has been visited everywhere, and from the second pass on each has decoded neighbours, the diagonal ones first (the
quadtree partition of DCVC-DC, Li et al., CVPR 2023, section 3.3).

*Phase layout* of a map `[h, w, C]` is `[h/2, w/2, 4, C]`. The symbols of a pass are coded in its raster order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PASSES = 4
STEPS = (0, 3, 2, 1)


def groups(pass_index: int) -> list[int]:
    """The channel group that a pass visits at phases 0, 1, 2 and 3."""
    return [phase ^ STEPS[pass_index] for phase in range(4)]


def to_phases(x: NDArray[Any]) -> NDArray[Any]:
    """`[h, w, C]` with even sides to `[h/2, w/2, 4, C]`."""
    h, w, c = x.shape
    return x.reshape(h // 2, 2, w // 2, 2, c).transpose(0, 2, 1, 3, 4).reshape(h // 2, w // 2, 4, c)


def from_phases(x: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `to_phases`."""
    h, w, _, c = x.shape
    return x.reshape(h, w, 2, 2, c).transpose(0, 2, 1, 3, 4).reshape(2 * h, 2 * w, c)


def split_passes(y: NDArray[Any]) -> list[NDArray[Any]]:
    """The part of `y` `[h, w, M]` that each pass visits: four of `[h/2, w/2, 4, M/4]`."""
    phases = to_phases(y)
    grouped = phases.reshape(*phases.shape[:-1], -1, 4)
    return [np.stack([grouped[:, :, p, :, g] for p, g in enumerate(groups(k))], axis=2) for k in range(PASSES)]


def join_passes(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The inverse of `split_passes`: `[h, w, M]`."""
    h, w, _, size = parts[0].shape
    grouped = np.empty((h, w, 4, size, 4), parts[0].dtype)
    for k, part in enumerate(parts):
        for p, g in enumerate(groups(k)):
            grouped[:, :, p, :, g] = part[:, :, p]
    return from_phases(grouped.reshape(h, w, 4, 4 * size))


def channel_parts(vector: NDArray[Any]) -> list[NDArray[Any]]:
    """A vector per channel `[M]`, arranged as `split_passes` arranges a map: four of `[4, M/4]`."""
    grouped = vector.reshape(-1, 4).T
    return [grouped[groups(k)] for k in range(PASSES)]
