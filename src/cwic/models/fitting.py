"""The last step of an export: what the entropy path assumes is set to what the model really writes.

All of it is measured on training pictures, and all of it is kept with the weights as integers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cwic.entropy.fit import SymbolCounter
from cwic.latents.gaussian import LOG2_SCALE_MIN, SCALE_STEP
from cwic.latents.rounding import symbol_costs
from cwic.models.exported import ExportedModel
from cwic.nn.gain import KNOT_SPACING, KNOTS, MAX_LEVEL
from cwic.transforms.hyper import Z_MAX


@torch.no_grad()
def fit_z_scales(model: ExportedModel, pictures: list[Tensor]) -> None:
    """Sets the scales of z to those that code z of `pictures` `[1, 3, H, W]` shortest, channel by channel and knot."""
    costs = symbol_costs(model.tables)
    for knot in range(KNOTS):
        level = min(knot * KNOT_SPACING, MAX_LEVEL)
        z = [model.hyper_analyse(model.analyse(x, level), level) for x in pictures]
        latents = [each.round().clamp(-Z_MAX, Z_MAX).flatten(2) for each in z]
        length = costs[1:, torch.cat(latents, dim=2)[0].abs().long()].sum(dim=-1)
        index = length.argmin(dim=0) + 1
        model.prior.networks.z_log2_scale.value[knot] = (LOG2_SCALE_MIN + SCALE_STEP * index).int()


@torch.no_grad()
def fit_tables(model: ExportedModel, pictures: list[Tensor]) -> ExportedModel:
    """The same model with tables fitted to its symbols of `pictures` `[1, 3, H, W]`, over all levels."""
    counter = SymbolCounter(model.tables)
    for i, x in enumerate(pictures):
        model.encode(x, level=round(MAX_LEVEL * (i + 0.5) / len(pictures)), sink=counter)
    fitted = ExportedModel(model.config, counter.tables())
    fitted.load_state_dict(model.state_dict())
    return fitted.eval().requires_grad_(False)
