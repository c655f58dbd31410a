"""Building blocks of networks, independent of coding, for any network.

The input and the output of each are `[B, C, H, W]`, with any H and W; `examples/plug_in.py` puts one into a classifier.
With C channels, and multiply-accumulates (MAC) counted per position of the map:

| block | computes | MAC |
|---|---|---|
| `CrossWindowAttention(C, w, s)` | `x + proj(S + merge2(leaky_relu(merge1([S, T]))))` | `7.5 C^2 + 4 w^2 C` |
| `CrossWindowAttentionModule(C, w, s)` | `x + a(x) * sigmoid(b(x))`, the attention in b | `28 C^2 + 4 w^2 C` |
| `ResidualAttention(C)` | the same without the attention | `20.5 C^2` |
| `FeatureEncoding(3)` | `x + 0.2 L(x)`, L two dense blocks and three convolutions | 313,472 |
| `ChannelNorm(C)` | `x / sqrt(mean of x^2 over the channels + epsilon)` | 0 |
| `GDN(C)` | `x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)`; inverse: times the root | `C^2` |

S is a window's attention to itself, T to the half-resolution region around it; the classes say more.
"""

from __future__ import annotations

from cwic.nn.cross_window import CrossWindowAttention, CrossWindowAttentionModule
from cwic.nn.dense import DenseBlock, FeatureEncoding
from cwic.nn.depth_conv import DepthConvBlock
from cwic.nn.gain import LevelGain, interpolate_knots
from cwic.nn.gdn import GDN
from cwic.nn.lower_bound import lower_bound
from cwic.nn.norm import ChannelNorm
from cwic.nn.residual_attention import ResidualAttention, ResidualUnit

__all__ = [
    "GDN",
    "ChannelNorm",
    "CrossWindowAttention",
    "CrossWindowAttentionModule",
    "DenseBlock",
    "DepthConvBlock",
    "FeatureEncoding",
    "LevelGain",
    "ResidualAttention",
    "ResidualUnit",
    "interpolate_knots",
    "lower_bound",
]
