"""Attention in the transforms of the `cwic` family: the forms of attention branches, and their places.

Every branch works at 1/16. The configuration decides whether it attends to windows or across windows.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.nn import ChannelNorm, CrossWindowAttention, CrossWindowAttentionModule
from cwic.nn.depth_conv import start_near_zero


class GatedBranch(nn.Module):
    """`y + leave(CWAM(enter(y)))` on `[B, M, h, w]`; close to the identity at the start."""

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        dim, window = config.attention_dim, config.attention_window
        self.enter = nn.Conv2d(config.M, dim, 1)
        cross = config.attention == "cross-window"
        self.cwam = CrossWindowAttentionModule(
            dim, window, window // 2, config.attention_heads, config.attention_units, cross
        )
        self.leave = start_near_zero(nn.Conv2d(dim, config.M, 1))

    def forward(self, y: Tensor) -> Tensor:
        return y + self.leave(self.cwam(self.enter(y)))


class ResidualBranch(nn.Module):
    """`x + leave(attend(norm(enter(x))))` on `[B, C, H, W]`; the identity at the start, where `leave` is zero.

    With a `scale` of 2, the map is unshuffled by 2 before `enter` and shuffled back after `leave`, so its sides must be
    even. The only shortcut is that around the branch, so all that the branch adds has passed the attention. With D
    channels inside, it costs `6.5 D^2 + 4 w^2 D + 2 scale^2 C D` multiply-accumulates a position at 1/16. Without the
    cross term, it costs `3 D^2 + 2 w^2 D + 2 scale^2 C D`.
    """

    def __init__(self, channels: int, config: CwicConfig, scale: int = 1) -> None:
        super().__init__()
        dim, window = config.attention_dim, config.attention_window
        cross = config.attention == "cross-window"
        self.scale = scale
        self.enter = nn.Conv2d(channels * scale**2, dim, 1)
        self.norm = ChannelNorm(dim)
        self.attend = CrossWindowAttention(dim, window, window // 2, config.attention_heads, cross, bare=True)
        self.leave = nn.Conv2d(dim, channels * scale**2, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.scale == 1 else F.pixel_unshuffle(x, self.scale)
        inner = self.leave(self.attend(self.norm(self.enter(inner))))
        return x + (inner if self.scale == 1 else F.pixel_shuffle(inner, self.scale))


def latent_branch(config: CwicConfig) -> nn.Module:
    """Return the module at the end of g_a and the start of g_s: an attention branch, or the identity."""
    if config.attention == "none" or config.attention_every:
        return nn.Identity()
    return GatedBranch(config) if config.attention_form == "gated" else ResidualBranch(config.M, config)


def trunk_branches(config: CwicConfig, blocks: int) -> nn.ModuleDict:
    """Return the attention branches after the `blocks` of a trunk, by the index of the block before; may be empty."""
    every = 0 if config.attention == "none" else config.attention_every
    behind = range(every - 1, blocks, every) if every else ()
    return nn.ModuleDict({str(i): ResidualBranch(config.trunk, config, scale=2) for i in behind})
