"""Windows of a feature map: fine windows, the half-resolution windows around them, and the masks of shifted windows.

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
    """Cut `[B, C, H, W]` into windows `[B * nW, w * w, C]` in raster order; tokens are in raster order too."""
    b, c, h, w = x.shape
    x = x.view(b, c, h // window, window, w // window, window)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(-1, window * window, c)


def merge_windows(tokens: Tensor, window: int, height: int, width: int) -> Tensor:
    """Invert `fine_windows`: turn `[B * nW, w * w, C]` into `[B, C, H, W]`."""
    x = tokens.view(-1, height // window, width // window, window, window, tokens.shape[-1])
    return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, tokens.shape[-1], height, width)


def halve(x: Tensor) -> Tensor:
    """Reduce a map with even sides by two, bilinearly: return the mean of each 2x2 square."""
    return F.avg_pool2d(x, 2)


def coarse_windows(half: Tensor, window: int) -> Tensor:
    """Return the region around each fine window, `[B * nW, w * w, C]`, from the half-resolution map `[B, C, H/2, W/2]`.

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
    """Return the fine and the coarse mask of a rolled map, each `[nW, w * w, w * w]` (query before key): 0 or `MASKED`.

    The coarse mask compares labels after the same reduction as the features, as published. That also hides true
    neighbours of the last band, and is kept for parity. Masks are made once per shape, on `device`, so that the device
    never waits for the host.

    Args:
        height: the height of the padded map, a multiple of the window.
        width: its width, a multiple of the window.
        valid: the height and the width without padding; no real position attends to padding.
        window: the side of a window.
        shift: the positions that the map is rolled by.
        device: the device of the masks.
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
    """Label the three bands of a rolled axis: whole windows, and the two parts of the last one that rolling joined."""
    band = torch.zeros(size, device=device)
    if shift:
        band[size - window :] = 1
        band[size - shift :] = 2
    return band


@lru_cache(maxsize=8)
def relative_position_index(window: int, device: torch.device) -> Tensor:
    """Return indices `[w * w, w * w]`, query before key, into a table of `(2w - 1)^2` relative positions."""
    axis = torch.arange(window, device=device)
    row, column = (grid.flatten() for grid in torch.meshgrid(axis, axis, indexing="ij"))
    rows = row[:, None] - row[None, :] + window - 1
    columns = column[:, None] - column[None, :] + window - 1
    return rows * (2 * window - 1) + columns


def forget() -> None:
    """Drop the cached masks and indices; the next use makes them anew."""
    attention_masks.cache_clear()
    relative_position_index.cache_clear()
