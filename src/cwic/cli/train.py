"""`cwic train`: a model from a recipe and a folder of pictures."""

from __future__ import annotations

import os
import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import reports, several
from cwic.cli.export import check_card
from cwic.cli.job import check_target, check_writable
from cwic.errors import InputError, OutputExistsError
from cwic.models.catalog import SUFFIX

INTERRUPTED = 130


class Device(str, Enum):
    """The devices to train on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Tune(str, Enum):
    """The distortions to train for."""

    psnr = "psnr"
    ms_ssim = "ms-ssim"
    eye = "eye"


_UNITS = {"h": 3600, "m": 60, "s": 1}


def seconds_of(budget: str) -> float:
    """Return a time such as `2h30m`, `90m` or `45s` in seconds. Raises typer.BadParameter."""
    if not re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?", budget) or not budget:
        raise typer.BadParameter(f"{budget!r} is not a time such as 2h30m, 90m or 45s")
    return float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([hms])", budget)))


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name, such as cwic-s, or path of a TOML file.", show_default=False)
    ],
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
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace an earlier run and existing outputs.")] = False,
) -> None:
    """Train a model for a given time.

    The loss is lmbda * 255**2 * MSE + bpp, or lmbda * (1 - MS-SSIM) + bpp; or, for the eye, SSIMULACRA 2 with some of
    the squared error (docs/training.md).
    """
    budget = seconds_of(time_budget)
    folder = run or (resume if resume is not None and resume.is_dir() else Path("run"))

    if state is not None and state.suffix != SUFFIX:
        raise typer.BadParameter(f"the name of a state ends in {SUFFIX}, and {state} does not")

    def work(_: int) -> None:
        for output in (export, state):
            if output is not None:
                _check(output, folder, force=force)
        if export is not None:
            check_card(export, force=force)
            if state is not None and export.resolve() == state.resolve():
                raise InputError(f"{export} cannot be both the weight file and the state")

        # Torch's threads spin while they wait, and stall each other on a busy machine. Torch reads this at import.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        from cwic.extras import require

        require("torch", "train")
        require("lightning", "train")
        from cwic.training.checkpoint import load_checkpoint, save_state
        from cwic.training.export import export_checkpoint
        from cwic.training.loop import train as train_model
        from cwic.training.recipe import load_recipe
        from cwic.training.recipe_names import find_recipe

        loaded = load_recipe(find_recipe(recipe))
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
            force=force,
        )
        if outcome.checkpoint is None:
            return
        record = {"recipe": loaded.name, "checkpoint": str(outcome.checkpoint)}
        if not outcome.finished:
            reports.report(f"stopped; go on with --resume {folder}", record, as_json=False)
            raise typer.Exit(INTERRUPTED)
        if state is not None:
            save_state(state, load_checkpoint(outcome.checkpoint.with_name("undecayed.ckpt"))["average"])
            record |= {"state": str(state)}
        if export is not None:
            model_id = export_checkpoint(outcome.checkpoint, export, loaded, data, validation, list_skipped=False)
            record |= {"weights": str(export), "model_id": model_id}
        reports.report("  ".join(f"{key} {value}" for key, value in record.items()), record, as_json=False)

    several.run([recipe], work)


def _check(output: Path, run: Path, *, force: bool) -> None:
    """Raise `CwicError` if an output cannot be written at the end, or would replace a file of the run itself."""
    if output.suffix == ".ckpt" and output.resolve().parent == run.resolve():
        raise InputError(f"output {output} would replace a checkpoint of the run")
    if output.resolve().parent != run.resolve():  # the folder of the run need not exist: it is made
        check_target(output, force=force)
        check_writable(output)
    elif output.exists() and not force:
        raise OutputExistsError(f"output {output} exists already: -f replaces it")
