"""Trainable layers of the exact path: they compute in floats, and simulate the integers of `cwic.latents.int8`.

The input and the output of a layer are *streams*, channels last. Before a multiplication, a layer rounds the stream to
*activations* with 4 fractional bits, clamped to +-127/16, and its weights to int8 with one scale per output channel.
Gradients pass straight through the rounding (Jacob et al., CVPR 2018, section 3), so that turning a trained network
into integers loses next to nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cwic.lab.passes import reordered
from cwic.latents.int8 import ACTIVATION_BITS, INT8_MAX, LEAK_SHIFT, MULTIPLIER_BITS, STREAM_BITS
from cwic.latents.levels import KNOTS
from cwic.nn.gain import interpolate_knots


def leaky_relu(x: Tensor) -> Tensor:
    """Apply a leaky ReLU to a stream."""
    return torch.maximum(x, x * 2.0**-LEAK_SHIFT)


_REACH = (INT8_MAX + 0.5 - 2.0**-17) * 2.0**-ACTIVATION_BITS
"""The largest float32 number that rounds to the largest activation: 127.5, a tie, rounds to 128."""


def simulate_activations(x: Tensor) -> Tensor:
    """Round `x` to activations, with the values and gradients of `torch.fake_quantize_per_tensor_affine`.

    The gradient is that of the identity where x rounds to an activation, and zero beyond. The operations exist on every
    device, and a compiler fuses them with others.
    """
    x = x.float().clamp(-_REACH, _REACH)
    with torch.no_grad():
        error = torch.round(x * 2.0**ACTIVATION_BITS) * 2.0**-ACTIVATION_BITS - x
    return x + error


def _weight_scale(weight: Tensor) -> Tensor:
    """Return one scale per output channel of `[..., C_out, C_in]`, so that the largest weight becomes 127."""
    return weight.detach().abs().amax(dim=-1).clamp_min(1e-6) / INT8_MAX


def simulate_weights(weight: Tensor) -> Tensor:
    """Round `weight` `[..., C_out, C_in]` to int8 multiples of its scales, with the gradient of the identity."""
    scale = _weight_scale(weight)[..., None]
    return weight + (torch.round(weight.detach() / scale) * scale - weight.detach())


class Pointwise(nn.Module):
    """A linear map of channels with bias: `[..., C_in]` to `[..., C_out]`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(simulate_activations(x), simulate_weights(self.weight), self.bias).float()


class PhasePointwise(nn.Module):
    """Four linear maps, one for each spatial phase: `[..., 4, C_in]` to `[..., 4, C_out]`.

    `order` permutes the maps: phase p uses map `order[p]`.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, out_channels, in_channels))
        self.bias = nn.Parameter(torch.zeros(4, out_channels))
        for weight in self.weight:
            nn.init.kaiming_uniform_(weight, a=5**0.5)

    def forward(self, x: Tensor, order: list[int]) -> Tensor:
        rows = simulate_activations(x).flatten(0, -3).transpose(0, 1)
        weight, bias = (reordered(each.unbind(), order) for each in (simulate_weights(self.weight), self.bias))
        out = rows @ weight.transpose(1, 2)
        return (out.float() + bias[:, None]).transpose(0, 1).reshape(*x.shape[:-1], -1)


class Depthwise(nn.Module):
    """A 3x3 depth-wise convolution, zero padded: `[B, h, w, C]` in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 9).uniform_(-1 / 3, 1 / 3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[-1]
        kernel = simulate_weights(self.weight).view(channels, 1, 3, 3)
        maps = simulate_activations(x).permute(0, 3, 1, 2)
        return F.conv2d(maps, kernel, self.bias, padding=1, groups=channels).permute(0, 2, 3, 1).float()


class Knots(nn.Module):
    """A stream that depends on the level alone: level `[B]` to `[B, C]`, interpolated in `value` `[KNOTS, C]`."""

    value: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(KNOTS, channels))

    def forward(self, level: Tensor) -> Tensor:
        return interpolate_knots(self.value, level)


@torch.no_grad()
def to_integers(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Return the integer tensors of a trained network, by their names in `cwic.latents`."""
    tensors: dict[str, NDArray[Any]] = {}
    for name, layer in network.named_modules():
        if isinstance(layer, Knots):
            tensors[f"{name}.value"] = _whole(layer.value * 2**STREAM_BITS, np.int32)
        elif isinstance(layer, Pointwise | PhasePointwise | Depthwise):
            scale = _weight_scale(layer.weight)
            unit = scale.double() * 2.0 ** (STREAM_BITS - ACTIVATION_BITS + MULTIPLIER_BITS)
            tensors[f"{name}.weight"] = _whole(layer.weight / scale[..., None], np.int8)
            tensors[f"{name}.multiplier"] = _whole(unit, np.int32)
            tensors[f"{name}.bias"] = _whole(layer.bias * 2**STREAM_BITS, np.int32)
    return tensors


def _whole(x: Tensor, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Round `x` to integers. A number too large for `kind` becomes its largest, which a layer refuses as overflow."""
    limits = np.iinfo(kind)
    return np.clip(torch.round(x).double().cpu().numpy(), limits.min, limits.max).astype(kind)
