"""Building blocks that know nothing of coding and plug into any network."""

from __future__ import annotations

from cwic.nn.cross_window import CrossWindowAttention, CrossWindowAttentionModule, ResidualUnit
from cwic.nn.dense import DenseBlock, FeatureEncoding
from cwic.nn.depth_conv import DepthConvBlock
from cwic.nn.gain import LevelGain, interpolate_knots

__all__ = [
    "CrossWindowAttention",
    "CrossWindowAttentionModule",
    "DenseBlock",
    "DepthConvBlock",
    "FeatureEncoding",
    "LevelGain",
    "ResidualUnit",
    "interpolate_knots",
]
