"""Trains every recipe of recipes/ablation at equal steps, and tables rate, distortion and cost. For `make ablation`.

A run that was stopped goes on where it was; one that is finished is only measured. Rate and distortion are estimates of
the float networks (ideal bits, rounded latents), in single precision, of the averaged weights at the end of the run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import torch

from cwic.image.files import write_atomically
from cwic.lab.cost import parts
from cwic.training.checkpoint import load_checkpoint, load_into, save_state
from cwic.training.family import FAMILIES
from cwic.training.loop import FINAL, LATEST, train
from cwic.training.recipe import Recipe, load_recipe
from cwic.training.run_record import hardware
from cwic.training.validation import validate

ROOT = Path(__file__).parents[1]
ORDER = ("plain", "cross", "encoding", "cross-encoding", "window-encoding")
"""From the quickest to the slowest, so that a table of some rows is soon there."""


def measure(recipe: Recipe, checkpoint: Path, sets: dict[str, Path]) -> dict[str, Any]:
    """A row of the table: what the run was, and J, bpp and PSNR on each set of pictures."""
    model = FAMILIES[recipe.family].build(recipe).eval()
    state = load_checkpoint(checkpoint)
    load_into(model, state["average"], checkpoint)
    progress, total = state["progress"], parts(recipe.model)[-1]
    row: dict[str, Any] = {
        "recipe": recipe.name,
        **{name: getattr(recipe.model, name) for name in ("feature_encoding", "attention", "N")},
        "parameters": total.parameters,
        "kmac_per_pixel": round(total.mac_per_pixel / 1000, 1),
        "lmbda": recipe.lmbda,
        "steps": progress["step"],
        "crops": f"{recipe.batch}x{recipe.crop}x{recipe.crop}",
        "hours": round(progress["elapsed"] / 3600, 3),
    }
    for name, folder in sets.items():
        result = validate(model, recipe, folder, half=False)
        row |= {f"{name}_J": result.cost[0], f"{name}_bpp": result.bpp[0], f"{name}_psnr_db": result.psnr[0]}
    return row | {"processor": hardware()["processor"], "torch": torch.__version__}


def table(rows: list[dict[str, Any]]) -> str:
    """Tab-separated, a header first."""
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) and not math.isclose(value, round(value, 3)) else str(value)


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training pictures")
    parser.add_argument("--validation", type=Path, required=True, help="folder of validation pictures")
    parser.add_argument("--kodak", type=Path, required=True, help="folder of the Kodak pictures")
    parser.add_argument("--runs", type=Path, default=Path("ablation-runs"), help="folder for checkpoints")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "ablation", help="folder for the table")
    parser.add_argument("--hours", type=float, default=24.0, help="longest time for one run")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sets = {"val": options.validation, "kodak": options.kodak}
    rows = []
    for name in ORDER:
        recipe, run = load_recipe(ROOT / "recipes" / "ablation" / f"{name}.toml"), options.runs / name
        if not (run / FINAL).exists():
            resume = run if (run / LATEST).exists() else None
            outcome = train(recipe, options.data, run, options.hours * 3600, resume=resume)
            if not outcome.finished:
                break
            save_state(options.runs / f"{name}.safetensors", load_checkpoint(run / FINAL)["average"])
        measured = run / "measured.json"
        if not measured.exists():
            write_atomically(measured, json.dumps(measure(recipe, run / FINAL, sets)).encode())
        rows.append(json.loads(measured.read_text("utf-8")))
        options.output.mkdir(parents=True, exist_ok=True)
        write_atomically(options.output / "table.tsv", table(rows).encode(), force=True)
    print(table(rows) if rows else "nothing is finished yet", end="")


if __name__ == "__main__":
    main()
