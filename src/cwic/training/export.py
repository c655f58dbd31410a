"""From a checkpoint to a weight file: the averaged weights, the exact path in integers, fitted to pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cwic.models.weights import model_id, save_weights
from cwic.training.checkpoint import load_checkpoint, load_into
from cwic.training.data import PictureFolder
from cwic.training.family import FAMILIES
from cwic.training.recipe import Recipe

FITTING_CROPS = 400


def export_checkpoint(checkpoint: Path, output: Path, recipe: Recipe, data: Path) -> str:
    """Writes the weight file of `checkpoint`, fitted to crops of `data`, to `output`; returns the model id in hex.

    Raises `InputError` if the checkpoint is not of the recipe's model, `ModelError` if a sum could overflow.
    """
    family = FAMILIES[recipe.family]
    model = family.build(recipe)
    load_into(model, load_checkpoint(checkpoint)["average"], checkpoint)
    pictures = PictureFolder(data, recipe.crop)
    crops = pictures.crops(FITTING_CROPS, recipe.crop, np.random.default_rng(recipe.seed)).split(1)
    exported = family.export(model.eval(), list(crops))
    save_weights(output, exported, recipe.name)
    return model_id(exported).hex()
