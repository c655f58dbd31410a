"""Make a weight file from a checkpoint: averaged weights, the exact path in integers, tables fitted to pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cwic.errors import InputError
from cwic.image.files import write_atomically
from cwic.image.folder import middle
from cwic.image.geometry import pad
from cwic.lab.cost import parts
from cwic.models import cwic as coding
from cwic.models.catalog import open_model
from cwic.models.preview import fit_preview
from cwic.models.registry import make_model
from cwic.models.spacing import coded_bits, space_levels
from cwic.models.weights import model_id, save_weights
from cwic.training.card import model_card
from cwic.training.checkpoint import load_checkpoint, load_into
from cwic.training.data import open_pictures
from cwic.training.encoder import best_error_weight
from cwic.training.family import FAMILIES
from cwic.training.recipe import Recipe
from cwic.training.validation import usable_pictures, validate

FITTING_CROPS = 400
ENCODED_CROPS = 24
PREVIEW_CROPS = 60
COMPARED_SIDE = 384
"""Pixels a side, at most, of the pictures whose bits two models are compared by."""


def export_checkpoint(
    checkpoint: Path,
    output: Path,
    recipe: Recipe,
    data: Path,
    validation: Path | None = None,
    *,
    bits_of: str | None = None,
    list_skipped: bool = True,
) -> str:
    """Write the weight file of a checkpoint, and a model card beside it with the suffix .md.

    Args:
        checkpoint: the checkpoint; its averaged weights are used.
        output: the weight file to write.
        recipe: the recipe of the run.
        data: the folder of pictures or shards whose crops the tables are fitted to.
        validation: the folder of pictures for the figures of the card; None leaves them out.
        bits_of: a model, by name or weight file; each quality gets the bits that the middles of the validation pictures
            have there with this model.
        list_skipped: print the validation pictures that cannot be used to stderr.

    Returns:
        The model id in hex.

    Raises:
        InputError: no picture can be used, the checkpoint is not of the recipe's model, or its levels cannot get the
            bits of `bits_of`.
        ModelError: a sum of the exact path could overflow, or there is no model `bits_of`.
    """
    if bits_of is not None and validation is None:
        raise InputError("bits are compared on validation pictures, and none are given")
    other = None if bits_of is None else open_model(bits_of)
    held_out = None if validation is None else usable_pictures(validation, recipe)
    for line in held_out.skipped if held_out and list_skipped else ():
        print(f"skipped {line}", file=sys.stderr)
    family = FAMILIES[recipe.family]
    model = family.build(recipe).eval()
    state = load_checkpoint(checkpoint)
    load_into(model, state["average"], checkpoint)
    pictures = open_pictures(data, recipe.crop, rank=0, world=1, device="cpu")
    crops = pictures.crops(FITTING_CROPS, recipe.crop, np.random.default_rng(recipe.seed)).split(1)
    exported = family.fit(family.export(model), list(crops))
    # The cost is that of the levels of the training, so it is measured before these move.
    weight = best_error_weight(exported, family, recipe, list(crops)[:ENCODED_CROPS])
    if other is not None and held_out is not None:
        compared = [pad(middle(file, COMPARED_SIDE)) for file in held_out.files]
        exported = make_model(exported.data._replace(error_weight=weight))
        exported, positions = space_levels(exported, coded_bits(other, compared), compared)
        print("knots at positions", *(f"{position:.2f}" for position in positions), file=sys.stderr)
        exported = family.fit(exported, list(crops))
    if isinstance(exported, coding.CwicModel):
        fitted = fit_preview(exported, [crop.numpy() for crop in list(crops)[:PREVIEW_CROPS]])
        exported = coding.CwicModel(exported.data._replace(preview=fitted))
    encoder = {"error_weight": weight, "tune": recipe.tune}
    save_weights(output, exported, recipe.name, parts(recipe.model), encoder)
    found = validate(model, recipe, held_out.files) if held_out else None
    name = model_id(exported).hex()
    card = model_card(recipe, name, checkpoint, state.get("progress", {}), found)
    write_atomically(output.with_suffix(".md"), card.encode(), force=True)
    return name
