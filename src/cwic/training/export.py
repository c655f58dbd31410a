"""From a checkpoint to a weight file: the averaged weights, the exact path in integers, tables fitted to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cwic.models.exported import ExportedModel, export
from cwic.models.fitting import fit_tables, fit_z_scales
from cwic.models.model import CwicModel
from cwic.models.weights import model_id, save_weights
from cwic.training.checkpoint import load_checkpoint, load_into
from cwic.training.data import PictureFolder
from cwic.training.recipe import Recipe

FITTING_CROPS = 400


def export_checkpoint(checkpoint: Path, output: Path, recipe: Recipe, data: Path) -> str:
    """Writes the weight file of `checkpoint`, fitted to crops of `data`, to `output`; returns the model id in hex.

    Raises `InputError` if the checkpoint is not of the recipe's model, `ModelError` if a sum could overflow.
    """
    model = CwicModel(recipe.model)
    load_into(model, load_checkpoint(checkpoint)["average"], checkpoint)
    exported = fit(export(model.eval()), recipe, data)
    save_weights(output, exported, recipe.name)
    return model_id(exported).hex()


def fit(exported: ExportedModel, recipe: Recipe, data: Path) -> ExportedModel:
    """Scales of z, then tables, fitted to random crops of the pictures under `data`."""
    pictures = PictureFolder(data, recipe.crop)
    crops = list(pictures.crops(FITTING_CROPS, recipe.crop, np.random.default_rng(recipe.seed)).split(1))
    fit_z_scales(exported, crops[::8])
    return fit_tables(exported, crops)
