"""The entropy model of the `cwic` family: hyperprior, quadtree context and gains, as networks and as a training loss.

Units: y has unit variance per channel. With the gain G(level) of a channel, `y * G` is in quantisation steps, and the
coded symbol is `round(y * G - mean * G)`. Networks predict the mean in units of y and the scale relative to G. They see
decoded values in units of y, and magnitudes as `log2(1 + |y| G) - log2(1 + G)`; both are nearly the same at every
level.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab import gaussian
from cwic.lab.fixed_point import Knots
from cwic.lab.hyper import HyperAnalysis, HyperSynthesis
from cwic.lab.passes import PASSES, channel_parts, join_passes, split_passes
from cwic.lab.quadtree_context import QuadtreeContext
from cwic.lab.quantize import add_uniform_noise, round_by_cost, round_straight_through
from cwic.latents.int8 import STREAM_BITS
from cwic.latents.levels import KNOT_SPACING, KNOTS, LAMBDA_MAX, LAMBDA_MIN, MAX_LEVEL
from cwic.latents.quadtree import MAGNITUDE_MAX, Z_BITS, Z_MAX
from cwic.latents.rounding import ERROR_WEIGHT


def lmbda_of(level: Tensor) -> Tensor:
    """Return the rate-distortion trade-off of a level, log-linear; the loss is `lmbda * 255**2 * MSE + bpp`."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (level.float() / MAX_LEVEL)


class PriorNetworks(nn.Module):
    """The networks whose results encoder and decoder must agree on; see `cwic.latents.quadtree.QuadtreePrior`."""

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.h_s = HyperSynthesis(config)
        self.context = QuadtreeContext(config)
        self.log2_gain = Knots(config.M)
        self.z_log2_scale = Knots(config.hyper_channels)


class PriorOutput(NamedTuple):
    """The output of the prior: `y_hat` `[B, M, h, w]`, and the bits of y and z of each picture, `[B]` each."""

    y_hat: Tensor
    y_bits: Tensor
    z_bits: Tensor


class Prior(nn.Module):
    """The trainable entropy model. `forward` returns the dequantised latent and the bits.

    In training the rate is that of noisy values. In evaluation, and with `hard_rounding`, values are rounded as the
    encoder rounds them and the rate is that of the symbols.
    """

    hard_rounding = False
    error_weight = ERROR_WEIGHT

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.h_a = HyperAnalysis(config)
        self.exact = PriorNetworks(config)
        for head in self.exact.context.heads:
            nn.init.zeros_(head.get_parameter("weight"))

    @torch.no_grad()
    def calibrate(self, y_scale: Tensor) -> None:
        """Set the gains to those of an ideal transform coder, given `y_scale` `[M]` of pictures in [0, 1].

        The step that minimises `lmbda 255^2 MSE + bpp` at high rate is `sqrt(18 / (255^2 ln 2 lmbda))`.
        """
        lmbda = lmbda_of(torch.arange(KNOTS, device=y_scale.device) * KNOT_SPACING)
        step = torch.sqrt(18 / (255**2 * math.log(2) * lmbda))
        self.exact.log2_gain.value.copy_(torch.log2(y_scale[None, :] / step[:, None]))

    def forward(self, y: Tensor, level: Tensor) -> PriorOutput:
        """Quantise `y` and count its bits.

        Args:
            y: the latents, `[B, M, h, w]`; h and w are multiples of 4.
            level: the level of each picture, integers 0..1000, `[B]`.
        """
        noisy = self.training and not self.hard_rounding
        log2_gain = self.exact.log2_gain(level)
        gain_map = torch.exp2(log2_gain)[:, :, None, None]
        y_steps = y.float() * gain_map
        z = self.h_a(features(y_steps, gain_map, dim=1), level)
        z_hat = round_straight_through(z).clamp(-Z_MAX, Z_MAX)
        coded_z = add_uniform_noise(z) if noisy else z_hat
        z_bits = gaussian.bits(coded_z, self.exact.z_log2_scale(level)[:, :, None, None])
        state = self.exact.h_s(z_hat.permute(0, 2, 3, 1) * 2.0 ** -(STREAM_BITS - Z_BITS))

        steps = split_passes(y_steps.permute(0, 2, 3, 1))
        log2_gains = channel_parts(log2_gain)
        decoded, y_bits = [], torch.zeros_like(z_bits[:, 0, 0, 0])
        for k in range(PASSES):
            gain = torch.exp2(log2_gains[k])
            mean, log2_scale = self.exact.context.predict(k, state, level)
            log2_scale = log2_scale + log2_gains[k]
            residual = steps[k] - mean * gain
            if noisy:
                coded, symbols = add_uniform_noise(residual), round_straight_through(residual)
            else:
                coded = symbols = _round_as_coded(residual, log2_scale, self.error_weight)
            y_bits = y_bits + gaussian.bits(coded, log2_scale).flatten(1).sum(1)
            y_steps_hat = symbols + mean * gain
            decoded.append(y_steps_hat / gain)
            if k + 1 < PASSES:
                state = self.exact.context.absorb(k, state, features(y_steps_hat, gain, dim=-1))
        y_hat = join_passes(decoded).permute(0, 3, 1, 2)
        return PriorOutput(y_hat, y_bits, z_bits.flatten(1).sum(1))


def _round_as_coded(residual: Tensor, log2_scale: Tensor, weight: float) -> Tensor:
    """Round as the encoder does, with the gradient of the identity."""
    with torch.no_grad():
        symbols = round_by_cost(residual, lambda magnitude: gaussian.bits(magnitude, log2_scale), weight)
    return residual + (symbols - residual).detach()


def features(y_steps: Tensor, gain: Tensor, dim: int) -> Tensor:
    """Return the inputs of the networks for `y_steps` (in quantisation steps): values and magnitudes.

    They are concatenated along `dim`.
    """
    magnitude = torch.log2(1 + y_steps.abs().clamp_max(MAGNITUDE_MAX)) - torch.log2(1 + gain)
    return torch.cat([y_steps / gain, magnitude.expand_as(y_steps)], dim=dim)
