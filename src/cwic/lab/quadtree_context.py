"""The context network: four passes, each predicting a quarter of the symbols from all that is known before it.

The state `[B, h, w, D]` starts as h_s's output. A pass refines a copy of it by depth-wise blocks and reads a mean and a
scale for its symbols off it, phase by phase; the symbols, once known, are added to the state as values and
magnitudes. The layers behave as the integers that they become (`cwic.lab.fixed_point`); the codec runs those.
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
from cwic.nn.compiled import are_compiled, compiled
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
    """`ContextBlock.forward` in the float form, as a function of weight and bias of each layer."""
    mix, expand, project = zip(map(simulate_weights, weights[::2]), weights[1::2], strict=True)
    mixed = shifted_depthwise(simulate_activations(t), *mix)
    hidden = leaky_relu(F.linear(simulate_activations(mixed), *expand).float())
    return t + F.linear(simulate_activations(hidden), *project).float()


class QuadtreeContext(nn.Module):
    """The networks of the four passes: `cwic.lab.prior` runs them, and `cwic.latents.quadtree` what an export makes of
    them.
    """

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
        """Mean (in units of y) and log2 scale (relative to the gain) of pass `step`'s symbols.

        `state` `[B, h, w, D]` and `level` `[B]` to two streams `[B, h/2, w/2, 4, M/4]`.
        """
        t = self.blocks[step](state + self.level[step](level)[:, None, None])
        mean, log2_scale = self.heads[step](to_phases(leaky_relu(t)), [0, 1, 2, 3]).chunk(2, dim=-1)
        return mean, log2_scale

    def absorb(self, step: int, state: Tensor, features: Tensor) -> Tensor:
        """The state with the now known symbols of pass `step`, `features` `[B, h/2, w/2, 4, 2 * M/4]`, added."""
        return state + from_phases(self.embed(features, groups(step)))
