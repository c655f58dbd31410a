"""Configurations of the models, one class for each family. Variants differ in numbers, never in their class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

PSNR, MS_SSIM, EYE = TUNES = ("psnr", "ms-ssim", "eye")
"""The distortions that models are trained for: the squared error, MS-SSIM, or SSIMULACRA 2 with some squared error."""

PREVIEW_SCALES = (8, 16)
"""The scales of cheap previews: the pixels of a side that become one."""

Attention = Literal["cross-window", "window", "none"]
AttentionForm = Literal["gated", "residual"]
Context = Literal["serial", "none"]


def _check_attention(attention: str) -> None:
    if attention not in get_args(Attention):
        raise ValueError(f"attention is one of {', '.join(get_args(Attention))}, not {attention!r}")


@dataclass(frozen=True)
class CwicConfig:
    """Widths and depths of a `cwic` model. Defaults are those of `cwic-s`."""

    family: ClassVar[str] = "cwic"
    variable_rate: ClassVar[bool] = True
    """True if one model has all qualities, 0-100."""

    M: int = 320
    """Latent channels at 1/16; a multiple of 4."""
    trunk: int = 192
    """Channels at 1/8: the planes of the unshuffled picture."""
    analysis_blocks: int = 3
    synthesis_blocks: int = 4
    feature_width: int = 16
    feature_growth: int = 16
    feature_encoding: bool = True
    """True if g_a has the dense-block module on the planes."""
    attention: Attention = "none"
    """The reach of each attention branch: `window` attends to the window alone, `none` leaves the branches out."""
    attention_form: AttentionForm = "gated"
    """`gated` puts the attention at the head of the gate of a CWAM; `residual` adds that of a normalised input."""
    attention_every: int = 0
    """0 puts a branch last in g_a and first in g_s; k puts a residual branch after every k-th block of both trunks."""
    attention_dim: int = 192
    """Channels of a branch, at 1/16."""
    attention_heads: int = 6
    attention_units: int = 1
    """Residual units in each half of a CWAM."""
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
        _check_attention(self.attention)
        if self.attention_form not in get_args(AttentionForm):
            raise ValueError(
                f"attention_form is one of {', '.join(get_args(AttentionForm))}, not {self.attention_form!r}"
            )
        if self.attention_every and self.attention != "none":
            blocks = min(self.analysis_blocks, self.synthesis_blocks)
            if not 0 < self.attention_every <= blocks:
                raise ValueError(f"attention_every is 0 to {blocks}, the blocks of a trunk, not {self.attention_every}")
            if self.attention_form != "residual":
                raise ValueError("attention_every is for branches of the residual form")


@dataclass(frozen=True)
class Cwam2024Config:
    """The published network (Mudgal & Liu, ISVC 2024) and its ablations. Defaults are those of the released code.

    With every switch off it is a mean-scale hyperprior (Minnen et al., NeurIPS 2018, without its context) of 5x5
    convolutions and GDN, with the hyper transforms of Cheng et al. (CVPR 2020).
    """

    family: ClassVar[str] = "cwam2024"
    variable_rate: ClassVar[bool] = False

    N: int = 320
    """Channels of every transform, and of y and z; a multiple of the 8 attention heads."""
    attention: Attention = "cross-window"
    """The attention in each CWAM's gate; `window` attends to the window alone, `none` leaves the modules out."""
    feature_encoding: bool = True
    """True if the dense-block module stands before g_a and after g_s."""
    residual_attention: bool = True
    """True if a residual attention block ends g_a and begins g_s."""
    context: Context = "serial"
    """`serial` refines the hyperprior's scales and means from the latents before; `none` uses them as they are."""

    def __post_init__(self) -> None:
        if self.N < 8 or self.N % 8:
            raise ValueError(f"N must be a multiple of the 8 attention heads, not {self.N}")
        _check_attention(self.attention)
        if self.context not in get_args(Context):
            raise ValueError(f"context is one of {', '.join(get_args(Context))}, not {self.context!r}")


ModelConfig = CwicConfig | Cwam2024Config
