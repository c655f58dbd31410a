from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cwic.config import MS_SSIM
from cwic.lab.cwic import CwicModel
from cwic.latents.rounding import ERROR_WEIGHT
from cwic.training import encoder
from cwic.training.encoder import ERROR_WEIGHTS, best_error_weight
from cwic.training.family import FAMILIES
from cwic.training.recipe import Recipe


def test_the_weight_of_least_cost_is_chosen(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES[recipe.family]
    torch.manual_seed(0)
    crops = [torch.rand(1, 3, 192, 192) for _ in range(2)]
    trained = CwicModel(recipe.model)
    trained.calibrate(crops)
    model = family.fit(family.export(trained.eval()), crops)
    tuned = replace(recipe, tune=MS_SSIM, crop=192)
    totals = sum(encoder._costs(model, family, tuned, crop) for crop in crops)
    costs = dict(zip(ERROR_WEIGHTS, totals, strict=True))
    assert len(set(costs.values())) > 1
    assert best_error_weight(model, family, tuned, crops) == min(costs, key=lambda weight: costs[weight])
    assert best_error_weight(model, family, recipe, crops) == ERROR_WEIGHT  # of models for PSNR
