"""The visiting order of the quadtree for batches of tensors in training (see `cwic.latents.passes`).

*Phase layout* of a map `[B, h, w, C]` is `[B, h/2, w/2, 4, C]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cwic.latents.passes import PASSES, STEPS, groups


def to_phases(x: Tensor) -> Tensor:
    """Turn `[B, h, w, C]` with even sides into phase layout, `[B, h/2, w/2, 4, C]`."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(b, h // 2, w // 2, 4, c)


def from_phases(x: Tensor) -> Tensor:
    """Invert `to_phases`."""
    b, h, w, _, c = x.shape
    return x.reshape(b, h, w, 2, 2, c).transpose(2, 3).reshape(b, 2 * h, 2 * w, c)


def split_passes(y: Tensor) -> list[Tensor]:
    """Return the part of `y` `[B, h, w, M]` that each pass visits: four tensors `[B, h/2, w/2, 4, M/4]`."""
    phases = [phase.unbind(-1) for phase in to_phases(y).unflatten(-1, (-1, 4)).unbind(3)]
    return [torch.stack([phases[p][g] for p, g in enumerate(groups(k))], dim=3) for k in range(PASSES)]


def join_passes(parts: list[Tensor]) -> Tensor:
    """Invert `split_passes`: return `[B, h, w, M]`."""
    by_phase = [part.unbind(3) for part in parts]
    phases = []
    for p in range(4):
        by_group = sorted(range(PASSES), key=lambda k: p ^ STEPS[k])
        phases.append(torch.stack([by_phase[k][p] for k in by_group], dim=-1).flatten(-2))
    return from_phases(torch.stack(phases, dim=3))


def channel_parts(vector: Tensor) -> list[Tensor]:
    """Arrange a vector per channel `[B, M]` as `split_passes` arranges a map: four tensors `[B, 1, 1, 4, M/4]`."""
    by_group = vector.unflatten(-1, (-1, 4)).unbind(-1)
    return [reordered(by_group, groups(k), dim=1)[:, None, None] for k in range(PASSES)]


def reordered(parts: Sequence[Tensor], order: list[int], dim: int = 0) -> Tensor:
    """Stack `parts[i]` for each i of `order` along `dim`.

    Indexing a tensor by a list would do the same, but each call would send the list to the GPU and wait for it.
    """
    return torch.stack([parts[i] for i in order], dim=dim)
