"""The published network as a trainable model: Mudgal & Liu, "Enhancing Learned Image Compression via Cross Window-based
Attention", ISVC 2024, arXiv 2410.21144. It follows the released code wherever the paper leaves a choice.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.config import Cwam2024Config
from cwic.lab import gaussian
from cwic.lab.bottleneck import EntropyBottleneck
from cwic.lab.cwam2024_hyper import hyper_analysis, hyper_synthesis
from cwic.lab.cwam2024_transforms import Cwam2024Analysis, Cwam2024Synthesis
from cwic.lab.cwic import ModelOutput
from cwic.lab.quantize import add_uniform_noise
from cwic.lab.serial_context import NoContext, SerialContext

MULTIPLE = 64
"""Sides of pictures are multiples of this: whole windows at 1/16 and 1/4, and whole positions of z at 1/64."""


class Latents(NamedTuple):
    """All tensors between the transforms: `[B, N, h, w]` each, but z_hat and z_likelihoods are `[B, N, h/4, w/4]`."""

    y: Tensor
    y_hat: Tensor
    z_hat: Tensor
    scales_hat: Tensor
    means_hat: Tensor
    y_likelihoods: Tensor
    z_likelihoods: Tensor


class Cwam2024Model(nn.Module):
    """The network of the paper, or an ablation of it.

        x --g_a--> y --h_a--> z --bottleneck--> z_hat --h_s--+
                   |                                         |
                   +--> y_hat --masked 5x5--> context -------+--> 1x1 x 3 --> scales_hat, means_hat
                          |
        x_hat <--g_s------+

    At N = 320: 62,606,362 parameters and 1,595,364 multiply-accumulates per pixel, encoder and decoder together. (The
    released code counts 1,615,764: it projects the coarse tokens after the windows overlap, for the same result.)

    Two choices of the released code decide its numbers and are kept:
    - in training, y_hat (context and decoder) and the rate of y see two independent draws of uniform noise;
    - in evaluation, y_hat is `round(y)`, but the rate is that of `round(y - means_hat)`. A coder has to use
      `round(y - means_hat) + means_hat` for both, so that the bits and x_hat given here are estimates.
    """

    def __init__(self, config: Cwam2024Config) -> None:
        super().__init__()
        self.config = config
        self.g_a = Cwam2024Analysis(config)
        self.g_s = Cwam2024Synthesis(config)
        self.h_a = hyper_analysis(config.N)
        self.h_s = hyper_synthesis(config.N)
        self.entropy_bottleneck = EntropyBottleneck(config.N)
        self.context = SerialContext(config.N) if config.context == "serial" else NoContext()

    def forward(self, x: Tensor) -> ModelOutput:
        """Return reconstruction and bits of `x` `[B, 3, H, W]` in [0, 1].

        Raises:
            ValueError: H or W is not a multiple of 64.
        """
        latents = self.latents(x)
        return ModelOutput(self.g_s(latents.y_hat), _bits(latents.y_likelihoods), _bits(latents.z_likelihoods))

    def latents(self, x: Tensor) -> Latents:
        """Run the encoder and the entropy model on `x` `[B, 3, H, W]`. Raises as `forward`."""
        if x.shape[2] % MULTIPLE or x.shape[3] % MULTIPLE:
            raise ValueError(f"the sides of a picture must be multiples of {MULTIPLE}, not {x.shape[3]}x{x.shape[2]}")
        # Values that are rounded, and values of the rate, are float32 under autocast too.
        y = self.g_a(x).float()
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y).float())
        y_hat = add_uniform_noise(y) if self.training else torch.round(y)
        scales_hat, means_hat = (p.float() for p in self.context(y_hat, self.h_s(z_hat)))
        residual = add_uniform_noise(y) - means_hat if self.training else torch.round(y - means_hat)
        y_likelihoods = gaussian.likelihood(residual, scales_hat)
        return Latents(y, y_hat, z_hat, scales_hat, means_hat, y_likelihoods, z_likelihoods)

    def aux_loss(self) -> Tensor:
        """Return the loss of the quantiles of the bottleneck (see `EntropyBottleneck`), a scalar."""
        return self.entropy_bottleneck.aux_loss()


def _bits(likelihoods: Tensor) -> Tensor:
    """Return the bits of each picture, `[B]`."""
    return -likelihoods.log2().flatten(1).sum(dim=1)
