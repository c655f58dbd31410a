"""Take the attention out of a trained `cwic` model, and fold its linear part into the Haar maps.

The branches of a gated model do little more than a linear map could do (docs/attention.md). The Haar maps beside them
are linear, so they can take over that part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.cwic import CwicModel
from cwic.latents.levels import MAX_LEVEL

Weights = dict[str, Tensor]
BRANCHES = tuple(f"{transform}.{place}." for transform in ("g_a", "g_s") for place in ("attention", "between"))
"""The beginnings of the names of tensors of attention."""
RIDGE = 1e-6
"""Added to the second moments of y, as a share of their mean, before they are inverted."""


class LinearPart(NamedTuple):
    """The linear part of a branch.

    Attributes:
        map: the best linear map from the input of the branch to its output, `[M, M]`.
        missed: the share that the map misses of what the branch adds, as a root mean square.
    """

    map: Tensor
    missed: float


def is_attention(name: str) -> bool:
    """Return whether the tensor of a state belongs to an attention branch."""
    return name.startswith(BRANCHES)


def without_attention(weights: Weights) -> Weights:
    """Return the tensors of a state that belong to no attention branch."""
    return {name: tensor for name, tensor in weights.items() if not is_attention(name)}


def gated_config(config: CwicConfig, weights: Weights) -> CwicConfig:
    """Return `config` with the attention of a state that has a gated branch at each end.

    Raises:
        ValueError: the state has no such branches.
    """
    inside = "g_a.attention.cwam.conv_b."
    try:
        rows, heads = weights[f"{inside}0.relative_position_bias_table_x"].shape
        dim = len(weights["g_a.attention.enter.weight"])
    except KeyError as error:
        raise ValueError(f"no gated attention at 1/16: there is no {error}") from None
    last = max(int(name.removeprefix(inside).split(".")[0]) for name in weights if name.startswith(inside))
    return replace(
        config,
        attention="cross-window" if f"{inside}0.kv.weight" in weights else "window",
        attention_form="gated",
        attention_every=0,
        attention_dim=dim,
        attention_heads=heads,
        attention_units=last - 1,
        attention_window=(math.isqrt(rows) + 1) // 2,
    )


@torch.no_grad()
def linear_parts(model: CwicModel, batches: Sequence[Tensor]) -> dict[str, LinearPart]:
    """Return the linear parts of the branches of `g_a` and `g_s`, by least squares over all positions.

    Args:
        model: a model with a branch at the end of g_a and at the start of g_s.
        batches: pictures `[B, 3, H, W]` in [0, 1] with more positions of y than y has channels. They are coded at
            levels that go evenly from the lowest to the highest.
    """
    branches = {"g_a": model.g_a.attention, "g_s": model.g_s.attention}
    sums = {name: _Moments() for name in branches}
    hooks = [branches[name].register_forward_hook(sums[name].add) for name in branches]
    was_training = model.training
    model.eval()
    try:
        for i, x in enumerate(batches):
            places = torch.arange(len(x), device=x.device) * len(batches) + i
            model(x, places * MAX_LEVEL // max(1, len(batches) * len(x) - 1))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return {name: moments.solved() for name, moments in sums.items()}


@torch.no_grad()
def folded(weights: Weights, parts: dict[str, LinearPart]) -> Weights:
    """Return `weights` without attention, with its linear `parts` in the Haar maps."""
    kept = without_attention(weights)
    for transform, part in parts.items():
        name, scale = f"{transform}.haar.weight", kept[f"{transform}.y_scale"].double()
        haar, on_haar = kept[name], part.map.to(scale) * scale[:, None] / scale
        product = on_haar @ haar.double() if transform == "g_a" else haar.double() @ on_haar
        kept[name] = product.to(haar)
    return kept


class _Moments:
    """The second moments of the input and the output of a branch."""

    def __init__(self) -> None:
        self._own: Any = 0.0
        self._cross: Any = 0.0
        self._added: Any = 0.0

    def add(self, branch: nn.Module, entering: tuple[Tensor, ...], leaving: Tensor) -> None:
        before, after = (each.double().transpose(0, 1).flatten(1) for each in (entering[0], leaving))
        self._own = self._own + before @ before.t()
        self._cross = self._cross + after @ before.t()
        self._added = self._added + (after - before).square().sum()

    def solved(self) -> LinearPart:
        channels = len(self._own)
        identity = torch.eye(channels, dtype=self._own.dtype, device=self._own.device)
        own = self._own + RIDGE * self._own.trace() / channels * identity
        # A X = B with the symmetric A = own gives X' = the map.
        part = torch.linalg.solve(own, self._cross.t()).t()
        # The branch adds D = after - before, and the map (part - 1) before: what is missed is |D|^2 less the explained.
        change = part - identity
        explained = 2 * (change * (self._cross - self._own)).sum() - (change @ self._own * change).sum()
        missed = ((self._added - explained) / self._added).clamp_min(0).sqrt()
        return LinearPart(part, float(missed))
