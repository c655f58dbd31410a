"""The context network: four passes, each of which predicts a quarter of the symbols from all that is known before it.

The state `[B, h, w, D]` starts as the output of h_s. A pass refines a copy of it by depth-wise blocks and predicts a
mean and a scale for each of its symbols from it, phase by phase. Once the symbols are known, they are added to the
state as values and magnitudes. The layers simulate the integers of the codec (`cwic.lab.fixed_point`).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.fixed_point import (
    Depthwise,
    Knots,
    PhasePointwise,
    Pointwise,
    leaky_relu,
    simulate_activations,
    simulate_weights,
)
from cwic.lab.passes import PASSES, from_phases, groups, to_phases
from cwic.nn.compiled import are_compiled, compiled, kept
from cwic.nn.depth_conv import shifted_depthwise


class ContextBlock(nn.Module):
    """`t + project(leaky_relu(expand(mix(t))))` on a stream `[B, h, w, D]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = Depthwise(width)
        self.expand = Pointwise(width, width)
        self.project = Pointwise(width, width)

    def forward(self, t: Tensor) -> Tensor:
        if are_compiled():
            layers = (self.mix, self.expand, self.project)
            return compiled(_block)(t, *(parameter for each in layers for parameter in (each.weight, each.bias)))
        return t + self.project(leaky_relu(self.expand(self.mix(t))))


def _block(t: Tensor, *weights: Tensor) -> Tensor:
    """Compute `ContextBlock.forward` as a function of the weight and the bias of each layer, for compiling."""
    mix, expand, project = zip(map(simulate_weights, weights[::2]), weights[1::2], strict=True)
    taps, bias = mix
    mixed = shifted_depthwise(simulate_activations(t), kept(taps.t()), bias)
    hidden = leaky_relu(F.linear(simulate_activations(mixed), *expand).float())
    return t + F.linear(simulate_activations(hidden), *project).float()


class QuadtreeContext(nn.Module):
    """The networks of the four passes. `cwic.lab.prior` runs them, `cwic.latents.quadtree` their exported integers."""

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        width, group = config.context_width, config.M // 4
        self.embed = PhasePointwise(2 * group, width)
        self.level = nn.ModuleList(Knots(width) for _ in range(PASSES))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ContextBlock(width) for _ in range(config.context_blocks))) for _ in range(PASSES)
        )
        self.heads = nn.ModuleList(PhasePointwise(width, 2 * group) for _ in range(PASSES))

    def predict(self, step: int, state: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the symbols of a pass.

        Args:
            step: the number of the pass.
            state: the state, `[B, h, w, D]`.
            level: the level of each picture, `[B]`.

        Returns:
            The mean (in units of y) and the log2 scale (relative to the gain), two streams `[B, h/2, w/2, 4, M/4]`.
        """
        t = self.blocks[step](state + self.level[step](level)[:, None, None])
        mean, log2_scale = self.heads[step](to_phases(leaky_relu(t)), [0, 1, 2, 3]).chunk(2, dim=-1)
        return mean, log2_scale

    def absorb(self, step: int, state: Tensor, features: Tensor) -> Tensor:
        """Return the state plus the known symbols of pass `step`, `features` `[B, h/2, w/2, 4, 2 * M/4]`."""
        return state + from_phases(self.embed(features, groups(step)))
