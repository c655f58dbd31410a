"""Layers of the exact path: a float form that trains, and an integer form that decides bytes.

Both forms of a layer take and give a *stream*: channels-last numbers with 8 fractional bits (float: any value;
integer: int32, one unit = 1/256). Before a multiplication a layer lowers the stream to *activations*, int8 with 4
fractional bits, clamped to +-127/16. Weights are int8 with one scale per output channel. The float form simulates
that rounding and passes gradients straight through it (Jacob et al., CVPR 2018, section 3), so that turning a trained
network into integers costs next to nothing. Every sum of products fits int32, and float32's 24 bits: it is proved
from the weights when a model is exported (`accumulator_bound`). See docs/determinism.md.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.latents.order import reordered
from cwic.nn.gain import KNOTS, interpolate_knots

STREAM_BITS = 8
ACTIVATION_BITS = 4
MULTIPLIER_BITS = 20
INT8_MAX = 127
LEAK_SHIFT = 3
"""The slope of the leaky ReLU on the negative side is 2^-3."""


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU of a stream; on integers the slope is an arithmetic shift."""
    return torch.maximum(x, x * 2.0**-LEAK_SHIFT if x.is_floating_point() else x >> LEAK_SHIFT)


def shift_round(x: Tensor, bits: int) -> Tensor:
    """`x / 2^bits` rounded half up, on integers."""
    return (x + (1 << (bits - 1))) >> bits


# --- the float form ------------------------------------------------------------------------------------------


_REACH = (INT8_MAX + 0.5 - 2.0**-17) * 2.0**-ACTIVATION_BITS
"""The largest float32 number that rounds to the largest activation: 127.5, a tie, rounds to 128."""


def simulate_activations(x: Tensor) -> Tensor:
    """`x` as activations: values and gradients are those of `torch.fake_quantize_per_tensor_affine`.

    So the gradient is that of the identity where x rounds to an activation, and zero beyond. In operations that every
    device has, and that a compiler fuses with others.
    """
    x = x.float().clamp(-_REACH, _REACH)
    with torch.no_grad():
        error = torch.round(x * 2.0**ACTIVATION_BITS) * 2.0**-ACTIVATION_BITS - x
    return x + error


def _weight_scale(weight: Tensor) -> Tensor:
    """One scale per output channel of `[..., C_out, C_in]`, so that the largest weight is 127."""
    return weight.detach().abs().amax(dim=-1).clamp_min(1e-6) / INT8_MAX


def simulate_weights(weight: Tensor) -> Tensor:
    """`weight` `[..., C_out, C_in]` rounded to int8 multiples of its scales, with the gradient of the identity."""
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
    """A stream that depends on the quality level alone: level `[B]` to `[B, C]`, from `value` `[KNOTS, C]`."""

    value: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(KNOTS, channels))

    def forward(self, level: Tensor) -> Tensor:
        return interpolate_knots(self.value, level)


# --- the integer form ----------------------------------------------------------------------------------------


def _activations(x: Tensor) -> Tensor:
    lowered = shift_round(x, STREAM_BITS - ACTIVATION_BITS)
    return lowered.clamp(-INT8_MAX, INT8_MAX).to(torch.int8)


class IntegerLayer(nn.Module):
    """What all integer layers hold: int8 weights, and per output channel a multiplier and a bias (int32)."""

    weight: Tensor
    multiplier: Tensor
    bias: Tensor

    def __init__(self, weight_shape: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(weight_shape, dtype=torch.int8))
        self.register_buffer("multiplier", torch.zeros(outputs, dtype=torch.int32))
        self.register_buffer("bias", torch.zeros(outputs, dtype=torch.int32))

    def _requantise(self, total: Tensor, multiplier: Tensor, bias: Tensor) -> Tensor:
        return (shift_round(total.long() * multiplier, MULTIPLIER_BITS) + bias).int()

    def accumulator_bound(self) -> int:
        """The largest magnitude that any partial sum of products can reach: 127 times the largest L1 norm of a row."""
        return INT8_MAX * int(self.weight.int().abs().sum(dim=-1).max())


class IntegerPointwise(IntegerLayer):
    """`Pointwise` on integers."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__((out_channels, in_channels), (out_channels,))

    def forward(self, x: Tensor) -> Tensor:
        rows = _activations(x).reshape(-1, x.shape[-1])
        out = self._requantise(integer_matmul(rows, self.weight.t()), self.multiplier, self.bias)
        return out.view(*x.shape[:-1], -1)


class IntegerPhasePointwise(IntegerLayer):
    """`PhasePointwise` on integers."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__((4, out_channels, in_channels), (4, out_channels))

    def forward(self, x: Tensor, order: list[int]) -> Tensor:
        rows = _activations(x).flatten(0, -3)
        maps = [
            self._requantise(
                integer_matmul(rows[:, p].contiguous(), self.weight[g].t()), self.multiplier[g], self.bias[g]
            )
            for p, g in enumerate(order)
        ]
        return torch.stack(maps, dim=1).view(*x.shape[:-1], -1)


class IntegerDepthwise(IntegerLayer):
    """`Depthwise` on integers: nine shifted products summed in int32, so no convolution library is involved."""

    def __init__(self, channels: int) -> None:
        super().__init__((channels, 9), (channels,))

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[1:3]
        padded = F.pad(_activations(x).int(), (0, 0, 1, 1, 1, 1))
        taps = self.weight.int().t()
        total = torch.zeros_like(x)
        for i in range(9):
            row, column = divmod(i, 3)
            total.addcmul_(padded[:, row : row + h, column : column + w], taps[i])
        return self._requantise(total, self.multiplier, self.bias)


class IntegerKnots(nn.Module):
    """`Knots` on integers."""

    value: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(KNOTS, channels, dtype=torch.int32))

    def forward(self, level: Tensor) -> Tensor:
        return interpolate_knots(self.value, level)


class Kit(NamedTuple):
    """The layers a network of the exact path is made of, in one of the two forms."""

    pointwise: type[Pointwise | IntegerPointwise]
    phase_pointwise: type[PhasePointwise | IntegerPhasePointwise]
    depthwise: type[Depthwise | IntegerDepthwise]
    knots: type[Knots | IntegerKnots]


FLOAT = Kit(Pointwise, PhasePointwise, Depthwise, Knots)
INTEGER = Kit(IntegerPointwise, IntegerPhasePointwise, IntegerDepthwise, IntegerKnots)


@torch.no_grad()
def to_integers(source: nn.Module, target: nn.Module) -> None:
    """Fills the integer network `target` from the trained float network `source` of the same structure."""
    trained = dict(source.named_modules())
    for name, layer in target.named_modules():
        if isinstance(layer, IntegerKnots):
            layer.value.copy_(torch.round(trained[name].get_parameter("value") * 2**STREAM_BITS))
        elif isinstance(layer, IntegerLayer):
            weight, bias = (trained[name].get_parameter(part) for part in ("weight", "bias"))
            scale = _weight_scale(weight)
            layer.weight.copy_(torch.round(weight / scale[..., None]))
            unit = scale.double() * 2.0 ** (STREAM_BITS - ACTIVATION_BITS + MULTIPLIER_BITS)
            layer.multiplier.copy_(torch.round(unit))
            layer.bias.copy_(torch.round(bias * 2**STREAM_BITS))


# --- the one product -----------------------------------------------------------------------------------------


def integer_matmul(a: Tensor, b: Tensor) -> Tensor:
    """The exact product of int8 matrices `[n, k]` and `[k, m]` as int32, on every device.

    Uses the int8 kernel where a probe shows it exact, and float64 (sums below 2^53 are exact in any order)
    elsewhere or when the environment variable `CWIC_INTEGER_MATMUL` is `float64`.
    """
    if _int8_kernel_is_exact(a.device.type) and _kernel_takes(a, b):
        return torch._int_mm(a, b)
    return (a.double() @ b.double()).int()


def _kernel_takes(a: Tensor, b: Tensor) -> bool:
    """CUDA's kernel wants more than 16 rows and multiples of 8; the CPU's takes any shape."""
    return a.device.type == "cpu" or (a.shape[0] > 16 and a.shape[1] % 8 == 0 and b.shape[1] % 8 == 0)


@lru_cache(maxsize=8)
def _int8_kernel_is_exact(device_type: str) -> bool:
    """Whether the int8 kernel is allowed, there, and exact on the operands that are hardest for it.

    Processors without VNNI instructions add pairs of products in saturating int16: silently wrong by design
    for large operands, which is what the probe shows it.
    """
    if os.environ.get("CWIC_INTEGER_MATMUL", "int8") != "int8" or not hasattr(torch, "_int_mm"):
        return False
    for rows, inner, columns in ((32, 64, 64), (384, 192, 192)):
        a = torch.full((rows, inner), INT8_MAX, dtype=torch.int8, device=device_type)
        b = torch.full((columns, inner), INT8_MAX, dtype=torch.int8, device=device_type)
        a[:, ::3] *= -1
        try:
            product = torch._int_mm(a, b.t())
        except RuntimeError:
            return False
        if not torch.equal(product.double(), a.double() @ b.t().double()):
            return False
    return True
