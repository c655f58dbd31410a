"""Choose the encoder settings of a trained model, by the cost of pictures that it encodes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
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
    """Return the one of `ERROR_WEIGHTS` with the lowest mean cost at `LEVELS`.

    Models for PSNR keep `ERROR_WEIGHT`, which was chosen for all of them.

    Args:
        model: the model that encodes.
        family: its family.
        recipe: its recipe, which defines the cost.
        crops: pictures `[1, 3, H, W]`.
    """
    if recipe.tune == PSNR:
        return ERROR_WEIGHT
    costs = np.mean([_costs(model, family, recipe, crop) for crop in crops], axis=0)
    return ERROR_WEIGHTS[int(np.argmin(costs))]


@torch.no_grad()
def _costs(model: CodingModel, family: Family, recipe: Recipe, x: Tensor) -> NDArray[np.float64]:
    """Return the cost of a picture for each of `ERROR_WEIGHTS`, summed over `LEVELS`."""
    totals = np.zeros(len(ERROR_WEIGHTS))
    prepared = model.prepare_analysis(x.cpu().contiguous().numpy())
    for level in LEVELS:
        y = model.finish_analysis(prepared, level)
        lmbda = family.lmbda(recipe, torch.tensor([level]))
        for index, weight in enumerate(ERROR_WEIGHTS):
            coded = model.compress(y, level, error_weight=weight)
            x_hat = torch.from_numpy(model.synthesise(coded.y_hat, level))
            output = ModelOutput(x_hat, torch.tensor([8.0 * len(coded.data)]), torch.zeros(1))
            totals[index] += float(rate_distortion(output, x.cpu(), lmbda, 0.5, recipe.tune).loss)
    return totals
