"""The model card: a Markdown document beside a weight file, with its recipe, its training and its quality."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from cwic.lab.cost import parts
from cwic.training.family import FAMILIES
from cwic.training.recipe import Recipe
from cwic.training.run_record import RECORD
from cwic.training.validation import Validation


def model_card(
    recipe: Recipe,
    model_id: str,
    checkpoint: Path,
    progress: dict[str, Any],
    validation: Validation | None,
) -> str:
    """Return the card of an exported model, as Markdown.

    Args:
        recipe: the recipe of the run.
        model_id: the id of the exported model, in hex.
        checkpoint: the checkpoint it was exported from; the record of its run is read from the same folder.
        progress: the progress that the checkpoint holds; empty if it has none.
        validation: the figures of the model; None without validation pictures.
    """
    lowest = FAMILIES[recipe.family].lmbda(recipe, torch.zeros(1, dtype=torch.int64)).item()
    lmbda = f"lmbda = {lowest:g}" if recipe.lmbda else f"lmbda = {lowest:g} * 200**(quality / 100)"
    total = parts(recipe.model)[-1]
    lines = [
        f"# {recipe.name}",
        "",
        "| | |",
        "|---|---|",
        f"| family | {recipe.family} |",
        f"| parameters | {total.parameters:,} |",
        f"| cost | {total.mac_per_pixel / 1000:.1f} kMAC per pixel, encoder and decoder together |",
        f"| model id | `{model_id}` |",
        f"| trained for | `{recipe.loss}`, `{lmbda}`, of values in [0, 1] |",
    ]
    if progress:
        lines.append(f"| run | {progress['step']:,} steps, {progress['elapsed'] / 3600:.2f} hours |")
    if validation is not None:
        lines += ["", "## Validation", "", "Estimates of the float networks, means over the validation pictures.", ""]
        lines += ["| point | bpp | PSNR, dB | J |", "|---|---|---|---|"]
        lines += [f"| {label} | {b:.4f} | {p:.2f} | {c:.4f} |" for label, b, p, c in zip(*validation, strict=True)]
    record = checkpoint.parent / RECORD
    starts = json.loads(record.read_text("utf-8"))["starts"] if record.exists() else []
    lines += ["", "## Recipe", "", "```json", json.dumps(asdict(recipe), indent=1), "```"]
    for start in starts:
        shown = {key: value for key, value in start.items() if key != "recipe"}
        lines += ["", f"## Run started {start['started']}", "", "```json", json.dumps(shown, indent=1), "```"]
    return "\n".join(lines) + "\n"
