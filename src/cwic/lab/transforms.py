"""The transforms of the `cwic` family: g_a from a picture to its latent y, g_s from the quantised latent back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.attention import latent_branch, trunk_branches
from cwic.lab.orthonormal import BLOCK, block_transform, haar
from cwic.nn import DepthConvBlock, FeatureEncoding
from cwic.nn.precision import single_precision


class LinearMap(nn.Module):
    """A 1x1 convolution without bias that keeps float32 under autocast, because the picture loses all that it loses.

    `weight` `[C_out, C_in]` learns far more slowly than the rest (see `cwic.training.optim`).
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        with single_precision(x.device):
            return F.conv2d(x.float(), self.weight[:, :, None, None])


class Analysis(nn.Module):
    """g_a: `x` `[B, 3, H, W]` in [0, 1], H and W multiples of 16, to `y` `[B, M, H/16, W/16]` of unit variance.

        x -> unshuffle 8 -> DCT -> / frequency_scale -> feature encoding -> blocks        (1/8)
          -> * frequency_scale -> unshuffle 2 -> Haar, M of 768 -> / y_scale -> attention -> y   (1/16)

    `frequency_scale` `[192]` and `y_scale` `[M]` are standard deviations, measured once on training pictures, and
    `selected` `[M]` are the rows of the Haar transform with the most energy, by falling energy (`calibrate`).

    The configuration decides whether there is attention, and whether it stands here or between the blocks.
    The level first matters in the blocks: `prepare`, the part before them, is the same for all levels.
    """

    frequency_scale: Tensor
    y_scale: Tensor
    selected: Tensor

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.register_buffer("frequency_scale", torch.ones(config.trunk))
        self.register_buffer("y_scale", torch.ones(config.M))
        self.register_buffer("selected", torch.arange(config.M))
        self.block_transform = LinearMap(block_transform())
        encoding = FeatureEncoding(config.trunk, config.feature_width, config.feature_growth)
        self.feature_encoding = encoding if config.feature_encoding else nn.Identity()
        self.blocks = nn.ModuleList(DepthConvBlock(config.trunk) for _ in range(config.analysis_blocks))
        self.between = trunk_branches(config, config.analysis_blocks)
        self.haar = LinearMap(haar(config.trunk)[: config.M])
        self.attention = latent_branch(config)

    def planes(self, x: Tensor) -> Tensor:
        """Return the block transform of `x`, before any scaling: `[B, 192, H/8, W/8]`."""
        return self.block_transform(F.pixel_unshuffle(x - 0.5, BLOCK))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return self.finish(self.prepare(x), level)

    def prepare(self, x: Tensor) -> Tensor:
        """Return the encoded features of `x`, the input of the blocks: `[B, 192, H/8, W/8]`."""
        features: Tensor = self.feature_encoding(self.planes(x) / self.frequency_scale[:, None, None])
        return features

    def finish(self, features: Tensor, level: Tensor) -> Tensor:
        """Return `y` of the features of `prepare` at `level` `[B]`."""
        features = _trunk(features, level, self.blocks, self.between)
        y = self.haar(F.pixel_unshuffle(features * self.frequency_scale[:, None, None], 2))
        return self.attention(y / self.y_scale[:, None, None])

    @torch.no_grad()
    def calibrate(self, batches: list[Tensor]) -> None:
        """Measure the scales, and choose M of the 768 coefficients, on pictures `[B, 3, H, W]`.

        Call it once, on the untrained model.
        """
        planes = [self.planes(x) for x in batches]
        self.frequency_scale.copy_(_rms(planes))
        full = haar(self.frequency_scale.numel()).to(self.haar.weight)
        every = LinearMap(full)
        energy = _rms([every(F.pixel_unshuffle(p, 2)) for p in planes])
        self.selected.copy_(energy.argsort(descending=True)[: self.selected.numel()])
        self.haar.weight.copy_(full[self.selected])
        self.y_scale.copy_(energy[self.selected])


class Synthesis(nn.Module):
    """g_s: `y_hat` `[B, M, h, w]` to `x_hat` `[B, 3, 16 h, 16 w]`, about [0, 1] and not clamped. Mirrors `Analysis`.

    y_hat -> attention -> * y_scale -> Haar -> shuffle 2 -> / frequency_scale -> blocks -> * frequency_scale
          -> inverse DCT -> shuffle 8 -> x_hat
    """

    frequency_scale: Tensor
    y_scale: Tensor

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.register_buffer("frequency_scale", torch.ones(config.trunk))
        self.register_buffer("y_scale", torch.ones(config.M))
        self.attention = latent_branch(config)
        self.haar = LinearMap(haar(config.trunk)[: config.M].t().contiguous())
        self.blocks = nn.ModuleList(DepthConvBlock(config.trunk) for _ in range(config.synthesis_blocks))
        self.between = trunk_branches(config, config.synthesis_blocks)
        self.block_transform = LinearMap(block_transform().t().contiguous())

    def forward(self, y_hat: Tensor, level: Tensor) -> Tensor:
        scale = self.frequency_scale[:, None, None]
        y = self.attention(y_hat) * self.y_scale[:, None, None]
        u = _trunk(F.pixel_shuffle(self.haar(y), 2) / scale, level, self.blocks, self.between)
        return F.pixel_shuffle(self.block_transform(u * scale), BLOCK) + 0.5

    @torch.no_grad()
    def follow(self, analysis: Analysis) -> None:
        """Take the calibrated constants of `analysis`, and its Haar rows."""
        self.frequency_scale.copy_(analysis.frequency_scale)
        self.y_scale.copy_(analysis.y_scale)
        self.haar.weight.copy_(analysis.haar.weight.t())


def _trunk(features: Tensor, level: Tensor, blocks: nn.ModuleList, between: nn.ModuleDict) -> Tensor:
    """Run the blocks, and the attention branches after some of them."""
    for i, block in enumerate(blocks):
        features = block(features, level)
        if str(i) in between:
            features = between[str(i)](features)
    return features


def _rms(maps: list[Tensor]) -> Tensor:
    """Return the root mean square of each channel over maps `[B, C, H, W]`; at least 1e-4, because it is divided by."""
    return torch.stack([m.square().mean(dim=(0, 2, 3)) for m in maps]).mean(dim=0).sqrt().clamp_min(1e-4)
