"""`cwic export`: make a weight file from a checkpoint of training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import common, reports, several
from cwic.cli.job import check_target, check_writable
from cwic.errors import InputError


def export(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Of the run: its name or path.", show_default=False)],
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Any .ckpt of the run, or its state.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Weight file to write.", show_default=False)],
    data: Annotated[Path, typer.Option("--data", help="Pictures to fit tables to.", show_default=False)],
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Pictures for the figures of the card.", show_default=False)
    ] = None,
    bits_of: Annotated[
        str | None,
        typer.Option(
            "--bits-of",
            help="Model whose bytes each quality shall match, on the pictures of --validation.",
            show_default=False,
        ),
    ] = None,
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Make a weight file, and a model card beside it, from the averaged weights of a checkpoint.

    An undecayed checkpoint gives a weaker model than the decayed end of a run.
    """

    def work(_: int) -> None:
        from cwic.extras import require

        require("torch", "train")
        from cwic.training.export import export_checkpoint
        from cwic.training.recipe import load_recipe
        from cwic.training.recipe_names import find_recipe

        check_target(output, force=force, source=checkpoint)
        check_writable(output)
        check_card(output, force=force)
        settings = load_recipe(find_recipe(recipe))
        name = export_checkpoint(checkpoint, output, settings, data, validation, bits_of=bits_of)
        reports.report(f"{output}  model_id {name}", {"weights": str(output), "model_id": name}, as_json=as_json)

    several.run([str(checkpoint)], work)


def check_card(weights: Path, *, force: bool) -> None:
    """Check, before any work is done, that the model card beside a weight file may be written.

    An existing card is an output like any other: only `force` replaces it.

    Raises:
        InputError: the weight file has the name of the card.
        CwicError: the errors of `check_target`.
    """
    card = weights.with_suffix(".md")
    if card == weights:
        raise InputError(f"{weights} is the name of the model card: name the weight file otherwise")
    if card.exists():
        check_target(card, force=force)
