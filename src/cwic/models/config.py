"""The shape of a model of the `cwic` family: variants are rows of numbers, never another class."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CwicConfig:
    """Widths and depths of a `cwic` model. Defaults are those of `cwic-s`."""

    M: int = 320
    """Latent channels at 1/16; a multiple of 4."""
    trunk: int = 192
    """Channels at 1/8: the planes of the unshuffled picture."""
    analysis_blocks: int = 2
    synthesis_blocks: int = 3
    feature_width: int = 16
    feature_growth: int = 16
    attention_dim: int = 192
    """Channels of the branch at 1/16 that carries the cross-window attention module."""
    attention_heads: int = 6
    attention_units: int = 1
    attention_window: int = 8
    hyper_channels: int = 128
    """Channels of z at 1/64."""
    hyper_width: int = 192
    context_width: int = 192
    context_blocks: int = 2

    def __post_init__(self) -> None:
        if self.M % 4:
            raise ValueError(f"M must be a multiple of the 4 channel groups, not {self.M}")
        if self.trunk != 192:
            raise ValueError(f"the trunk has the 192 planes of the unshuffled picture, not {self.trunk}")
