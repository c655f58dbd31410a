"""Windows of a feature map: fine ones, the half-resolution ones around them, and the masks that a shift needs.

Everything follows the published network's arrangement (Mudgal & Liu 2024, section 3.2, and its released code): the
map is rolled by the shift, cut into windows of `w x w`, and each window is paired with `w x w` coarse tokens that
cover the `2w x 2w` region centred on it.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

MASKED = -100.0
"""Added to the logits of pairs that may not attend to one another."""


def fine_windows(x: Tensor, window: int) -> Tensor:
    """`[B, C, H, W]` to `[B * nW, w * w, C]`: windows in raster order, tokens in raster order inside each."""
    b, c, h, w = x.shape
    x = x.view(b, c, h // window, window, w // window, window)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(-1, window * window, c)


def merge_windows(tokens: Tensor, window: int, height: int, width: int) -> Tensor:
    """The inverse of `fine_windows`: `[B * nW, w * w, C]` to `[B, C, H, W]`."""
    x = tokens.view(-1, height // window, width // window, window, window, tokens.shape[-1])
    return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, tokens.shape[-1], height, width)


def halve(x: Tensor) -> Tensor:
    """Bilinear reduction by two of a map with even sides: the mean of each 2x2 square."""
    return F.avg_pool2d(x, 2)


def coarse_windows(half: Tensor, window: int) -> Tensor:
    """The neighbourhoods of all fine windows, from the half-resolution map `[B, C, H/2, W/2]`: `[B * nW, w * w, C]`.

    The map is reflected by `w / 4` on its four sides and cut with stride `w / 2`.
    """
    c = half.shape[1]
    padded = F.pad(half, [window // 4] * 4, mode="reflect")
    patches = padded.unfold(2, window, window // 2).unfold(3, window, window // 2)
    return patches.permute(0, 2, 3, 4, 5, 1).reshape(-1, window * window, c)


@lru_cache(maxsize=8)
def attention_masks(
    height: int, width: int, valid: tuple[int, int], window: int, shift: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The fine and the coarse mask of a rolled map, each `[nW, w * w, w * w]` (query before key): 0 or `MASKED`.

    `height` and `width` are multiples of the window; rows and columns beyond `valid` are padding, which nothing
    real attends to. The coarse mask compares labels after the same reduction as the features, as published: that
    also hides true neighbours of the last band, and is kept for parity. A tile's masks are made once per shape, on
    `device`, so that nothing waits for the host.
    """
    label = _bands(height, window, shift, device)[:, None] * 3 + _bands(width, window, shift, device)[None, :]
    rows = torch.arange(height, device=device).roll(-shift)[:, None] >= valid[0]
    columns = torch.arange(width, device=device).roll(-shift)[None, :] >= valid[1]
    label = torch.where(rows | columns, torch.full_like(label, 9.0), label)[None, None]
    fine = fine_windows(label, window).squeeze(-1)
    coarse = coarse_windows(halve(label), window).squeeze(-1)
    masks = [(fine[:, :, None] != key[:, None, :]).float() * MASKED for key in (fine, coarse)]
    return masks[0], masks[1]


def _bands(size: int, window: int, shift: int, device: torch.device) -> Tensor:
    """The three bands of a rolled axis: untouched windows, and the two parts of the last one that met by rolling."""
    band = torch.zeros(size, device=device)
    if shift:
        band[size - window :] = 1
        band[size - shift :] = 2
    return band


@lru_cache(maxsize=8)
def relative_position_index(window: int, device: torch.device) -> Tensor:
    """`[w * w, w * w]` indexes into a table of `(2w - 1)^2` relative positions, query before key, on `device`."""
    axis = torch.arange(window, device=device)
    row, column = (grid.flatten() for grid in torch.meshgrid(axis, axis, indexing="ij"))
    rows = row[:, None] - row[None, :] + window - 1
    columns = column[:, None] - column[None, :] + window - 1
    return rows * (2 * window - 1) + columns


def forget() -> None:
    """Drops the masks and indexes that were made so far: the next use makes them anew."""
    attention_masks.cache_clear()
    relative_position_index.cache_clear()
