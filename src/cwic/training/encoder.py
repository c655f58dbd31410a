"""How the encoder of a trained model works best: chosen by what it writes of pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cwic.config import PSNR
from cwic.lab.cwic import ModelOutput
from cwic.latents.levels import MAX_LEVEL
from cwic.latents.rounding import ERROR_WEIGHT
from cwic.models.base import CodingModel
from cwic.training.family import Family
from cwic.training.loss import rate_distortion
from cwic.training.recipe import Recipe

ERROR_WEIGHTS = (16.0, 22.0, 28.0, 34.0, 40.0, 50.0)
LEVELS = (MAX_LEVEL // 5, MAX_LEVEL // 2, 4 * MAX_LEVEL // 5)


def best_error_weight(model: CodingModel, family: Family, recipe: Recipe, crops: list[Tensor]) -> float:
    """Of `ERROR_WEIGHTS`, the one with the least cost of `crops` `[1, 3, H, W]`, at `LEVELS`, as the recipe has it.

    Models for PSNR keep the one that was chosen for all of them.
    """
    if recipe.tune == PSNR:
        return ERROR_WEIGHT
    costs = [np.mean([_cost(model, family, recipe, crop, weight) for crop in crops]) for weight in ERROR_WEIGHTS]
    return ERROR_WEIGHTS[int(np.argmin(costs))]


@torch.no_grad()
def _cost(model: CodingModel, family: Family, recipe: Recipe, x: Tensor, error_weight: float) -> float:
    """Of the coded picture; the levels count alike."""
    total = 0.0
    for level in LEVELS:
        y = model.finish_analysis(model.prepare_analysis(x.cpu().contiguous().numpy()), level)
        coded = model.compress(y, level, error_weight=error_weight)
        x_hat = torch.from_numpy(model.synthesise(coded.y_hat, level))
        output = ModelOutput(x_hat, torch.tensor([8.0 * len(coded.data)]), torch.zeros(1))
        lmbda = family.lmbda(recipe, torch.tensor([level]))
        total += float(rate_distortion(output, x.cpu(), lmbda, 0.5, recipe.tune).loss)
    return total
