"""Cross-window attention and its gated module (CWAM): Mudgal & Liu 2024, section 3.2."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.nn.residual_attention import ResidualAttention
from cwic.nn.windows import (
    attention_masks,
    coarse_windows,
    fine_windows,
    halve,
    merge_windows,
    relative_position_index,
)


class CrossWindowAttention(nn.Module):
    """Each window attends to itself and to the half-resolution region around it: `[B, C, H, W]` in and out.

    The region is twice as wide as the window and centred on it. With one scaled query q of the window's tokens:
    `S = softmax(q k' + bias_x + mask_x) v`, `T = softmax(q k_c' + bias_y + mask_y) v_c` over the coarse tokens, and
    `out = x + proj(S + merge2(leaky_relu(merge1([S, T]), 0.2)))`. Costs 7.5 C^2 + 4 w^2 C multiply-accumulates a
    position. Any H and W: the map is padded with zeros to multiples of the window, and the padding is masked.

    Without `cross` it is plain shifted-window attention, `out = x + proj(S)`, at 4 C^2 + 2 w^2 C. A `bare` one returns
    the argument of `proj`, without shortcut and projection, for C^2 less.

    Two details are as published, so that published weights mean the same. bias_y is looked up by the difference of the
    two tokens' places in their own windows, which is no true displacement. mask_y hides some true neighbours (see
    `cwic.nn.windows.attention_masks`).
    """

    def __init__(
        self, dim: int, window: int = 8, shift: int = 4, heads: int = 8, cross: bool = True, bare: bool = False
    ) -> None:
        super().__init__()
        if dim % heads or window % 4 or not 0 <= shift < window:
            raise ValueError(
                f"dim {dim} must divide by heads {heads}, window {window} by 4, and shift {shift} be below it"
            )
        self.window, self.shift, self.heads, self.cross, self.bare = window, shift, heads, cross, bare
        self.relative_position_bias_table_x = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table_x, std=0.02)
        if cross:
            self.relative_position_bias_table_y = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
            nn.init.trunc_normal_(self.relative_position_bias_table_y, std=0.02)
        self.qkv = nn.Linear(dim, 3 * dim)
        if cross:
            self.kv = nn.Linear(dim, 2 * dim)
            self.merge1 = nn.Linear(2 * dim, dim)
            self.merge2 = nn.Linear(dim, dim)
        if not bare:
            self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        _, c, h, w = x.shape
        height, width = (-(-side // self.window) * self.window for side in (h, w))
        padded = F.pad(x, (0, width - w, 0, height - h))
        rolled = torch.roll(padded, (-self.shift, -self.shift), dims=(2, 3))
        masks = attention_masks(height, width, (h, w), self.window, self.shift, x.device)
        q, k, v = self.qkv(fine_windows(rolled, self.window)).chunk(3, dim=-1)
        q = self._split(q) * (c // self.heads) ** -0.5
        tokens = self._attend(q, k, v, self.relative_position_bias_table_x, masks[0])
        if self.cross:
            tokens = tokens + self._around(q, tokens, rolled, masks[1])
        out = merge_windows(tokens if self.bare else self.proj(tokens), self.window, height, width)
        out = torch.roll(out, (self.shift, self.shift), dims=(2, 3))[:, :, :h, :w]
        return out if self.bare else x + out

    def _around(self, q: Tensor, own: Tensor, rolled: Tensor, mask: Tensor) -> Tensor:
        """Return the share of the coarse regions, to be added to `own` `[nB, n, C]`, the windows' own attention."""
        # The projection is linear and acts on single tokens, so before the overlapping cut it costs a quarter.
        half = self.kv(halve(rolled).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        k_coarse, v_coarse = coarse_windows(half, self.window).chunk(2, dim=-1)
        around = self._attend(q, k_coarse, v_coarse, self.relative_position_bias_table_y, mask)
        return cast(Tensor, self.merge2(F.leaky_relu(self.merge1(torch.cat([own, around], dim=-1)), 0.2)))

    def _split(self, tokens: Tensor) -> Tensor:
        """Split `[nB, n, C]` into heads: `[nB, heads, n, C / heads]`."""
        return tokens.view(*tokens.shape[:2], self.heads, -1).transpose(1, 2)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, table: Tensor, mask: Tensor) -> Tensor:
        tokens = q.shape[2]
        index = relative_position_index(self.window, table.device)
        bias = table[index.flatten()].view(tokens, tokens, self.heads).permute(2, 0, 1)
        logits = q @ self._split(k).transpose(2, 3)
        logits = logits.view(-1, mask.shape[0], self.heads, tokens, tokens).add_(bias).add_(mask[:, None])
        weights = logits.softmax(dim=-1).view(-1, self.heads, tokens, tokens).to(v.dtype)
        return (weights @ self._split(v)).transpose(1, 2).reshape(q.shape[0], tokens, -1)


class CrossWindowAttentionModule(ResidualAttention):
    """CWAM: `x + a(x) * sigmoid(b(x))` on `[B, C, H, W]`, with the attention at the head of the gate's branch.

    a is `units` residual units with GELU; b is the attention, `units` residual units and a 1x1 convolution. The paper
    has 3 units: 28 C^2 + 4 w^2 C multiply-accumulates a position (24.5 C^2 + 2 w^2 C without `cross`).
    """

    def __init__(
        self, dim: int, window: int = 8, shift: int = 4, heads: int = 8, units: int = 3, cross: bool = True
    ) -> None:
        super().__init__(dim, units, nn.GELU)
        self.conv_b.insert(0, CrossWindowAttention(dim, window, shift, heads, cross))
