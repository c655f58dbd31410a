"""`cwic train`: a model from a recipe and a folder of pictures."""

from __future__ import annotations

import os
import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import batch

INTERRUPTED = 130


class Device(str, Enum):
    """What a run can be trained on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Tune(str, Enum):
    """What pictures are compared by."""

    psnr = "psnr"
    ms_ssim = "ms-ssim"
    eye = "eye"


_UNITS = {"h": 3600, "m": 60, "s": 1}


def seconds_of(budget: str) -> float:
    """A time such as `2h30m`, `90m` or `45s` in seconds. Raises typer.BadParameter."""
    if not re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?", budget) or not budget:
        raise typer.BadParameter(f"{budget!r} is not a time such as 2h30m, 90m or 45s")
    return float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([hms])", budget)))


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="See recipes/.", show_default=False)],
    data: Annotated[Path, typer.Option("--data", help="Folder of pictures, or of shards.", show_default=False)],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of the run: run, or the one that is resumed.", show_default=False),
    ] = None,
    time_budget: Annotated[str, typer.Option("--time-budget", help="Such as 2h30m.")] = "1h",
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Folder of pictures to report on.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", help="Folder of an interrupted run, or a checkpoint to start from.", show_default=False
        ),
    ] = None,
    tune: Annotated[
        Tune | None, typer.Option("--tune", help="What pictures are compared by, if not as in the recipe.")
    ] = None,
    device: Annotated[Device, typer.Option("--device", help="What to train on.")] = Device.auto,
    processes: Annotated[int, typer.Option("--processes", help="One a processor core or GPU.", min=1)] = 1,
    export: Annotated[
        Path | None, typer.Option("--export", help="Weight file to write at the end.", show_default=False)
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Compact undecayed state to write, for a later --resume.", show_default=False),
    ] = None,
) -> None:
    """Train a model for a given time.

    The loss is lmbda * 255**2 * MSE + bpp, or lmbda * (1 - MS-SSIM) + bpp; or, for the eye, SSIMULACRA 2 with some of
    the squared error (docs/training.md).
    """
    budget = seconds_of(time_budget)
    folder = run or (resume if resume is not None and resume.is_dir() else Path("run"))

    def work(_: int) -> None:
        # Threads of torch that spin while they wait stall each other on a busy machine. Read when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        from cwic.extras import require

        require("torch", "train")
        require("lightning", "train")
        from cwic.training.checkpoint import load_checkpoint, save_state
        from cwic.training.export import export_checkpoint
        from cwic.training.loop import train as train_model
        from cwic.training.recipe import load_recipe

        loaded = load_recipe(recipe)
        if tune is not None:
            loaded = loaded.tuned(tune.value)
        outcome = train_model(
            loaded,
            data,
            folder,
            budget,
            validation=validation,
            resume=resume,
            devices=processes,
            accelerator=device.value,
        )
        if outcome.checkpoint is None:
            return
        record = {"recipe": loaded.name, "checkpoint": str(outcome.checkpoint)}
        if not outcome.finished:
            batch.report(f"stopped; go on with --resume {folder}", record, as_json=False)
            raise typer.Exit(INTERRUPTED)
        if export is not None:
            model_id = export_checkpoint(outcome.checkpoint, export, loaded, data, validation)
            record |= {"weights": str(export), "model_id": model_id}
        if state is not None:
            save_state(state, load_checkpoint(folder / "undecayed.ckpt")["average"])
            record |= {"state": str(state)}
        batch.report("  ".join(f"{key} {value}" for key, value in record.items()), record, as_json=False)

    batch.run([str(recipe)], work)
