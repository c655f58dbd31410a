"""The training loop: one function for one CPU, several processes, or GPUs, through Lightning Fabric."""

from __future__ import annotations

import copy
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from cwic.models.model import CwicModel
from cwic.nn.gain import MAX_LEVEL
from cwic.training.checkpoint import load_checkpoint, load_into, save_checkpoint
from cwic.training.data import PictureFolder
from cwic.training.loss import rate_distortion
from cwic.training.optim import Optimisers
from cwic.training.recipe import Recipe
from cwic.training.schedule import is_decaying, rate_factor
from cwic.training.validation import validate

CALIBRATION_BATCHES = 16
REPORT_EVERY = 50
"""Steps between two lines of the log; clocks of several processes are compared as often."""


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    elapsed: float = 0.0
    skipped: int = 0


def train(
    recipe: Recipe,
    data: Path,
    run: Path,
    budget: float,
    *,
    validation: Path | None = None,
    resume: Path | None = None,
    devices: int = 1,
    accelerator: str = "auto",
    validate_every: float = 600.0,
) -> Path | None:
    """Trains for `budget` seconds and returns the run's final checkpoint, `run/final.ckpt`; None in helping processes.

    `run/undecayed.ckpt` is the state before the learning rates fell: what a later run should `resume`. A checkpoint
    that holds optimiser states restores them; the budget counts this run alone.
    """
    fabric = Fabric(accelerator=accelerator, devices=devices, precision="bf16-mixed")
    fabric.launch()
    if fabric.device.type == "cpu":
        # Networks this small gain nothing from a second thread and much from a second process (docs/training.md).
        torch.set_num_threads(1)
    fabric.seed_everything(recipe.seed + fabric.global_rank, verbose=False)
    random = np.random.default_rng((recipe.seed, fabric.global_rank))
    pictures = PictureFolder(data, recipe.crop, fabric.global_rank, fabric.world_size)
    say = print if fabric.is_global_zero else _silent
    for line in pictures.skipped:
        print(f"skipped {line}", file=sys.stderr)
    print(f"{len(pictures.pictures)} pictures, {pictures.too_small} more too small for the crop", file=sys.stderr)
    run.mkdir(parents=True, exist_ok=True)

    model = CwicModel(recipe.model).to(fabric.device)
    average = copy.deepcopy(model).eval()
    if recipe.hard_rounding:
        _decoder_only(model)
    optimisers = Optimisers(model, recipe)
    if resume is None:
        crops = [pictures.crops(recipe.batch, recipe.crop, random) for _ in range(CALIBRATION_BATCHES)]
        model.calibrate([x.to(fabric.device) for x in crops])
        average.load_state_dict(model.state_dict())
    else:
        _resume(resume, recipe, model, average, optimisers)
    wrapped = fabric.setup_module(model, move_to_device=False)

    progress, start, kept, last_validation = Progress(), time.monotonic(), False, 0.0
    sums: list[Tensor] = []
    while progress.elapsed < budget:
        optimisers.scale_rates(
            rate_factor(progress.step, progress.elapsed, budget, recipe.warmup_steps, recipe.decay_share)
        )
        x = pictures.crops(recipe.batch, recipe.crop, random).to(fabric.device)
        level = torch.randint(0, MAX_LEVEL + 1, (recipe.batch,), device=fabric.device)
        cost = rate_distortion(wrapped(x, level), x, level, recipe.rate_balance)
        fabric.backward(cost.loss)
        norm = nn.utils.clip_grad_norm_(optimisers.parameters, recipe.clip_norm)
        if torch.isfinite(norm):
            optimisers.step()
            # An average that starts with the run must soon forget its start.
            ramp = (progress.step + 1) / (progress.step + 10) if resume is None else 1.0
            _average(average, model, min(recipe.average_decay, ramp))
        else:
            progress.skipped += 1
            model.zero_grad()
        sums.append(torch.stack([cost.loss, cost.cost.mean(), cost.bpp.mean(), cost.mse.mean(), norm]).detach())
        progress.step += 1
        if progress.step % REPORT_EVERY == 0 or progress.step < 5:
            # One clock decides for all processes, or their learning rates would drift apart.
            progress.elapsed = float(fabric.broadcast(time.monotonic() - start))
            loss, mean_cost, bpp, mse, norm = torch.stack(sums).mean(dim=0).tolist()
            sums.clear()
            say(
                f"step {progress.step}  {progress.elapsed:.0f} s  loss {loss:.4f}  J {mean_cost:.4f}  bpp {bpp:.3f}  "
                f"psnr {-10 * np.log10(mse):.2f}  norm {norm:.2f}  skipped {progress.skipped}",
                flush=True,
            )
            if not kept and is_decaying(progress.elapsed, budget, recipe.decay_share):
                kept = True
                _save(fabric, run / "undecayed.ckpt", model, average, optimisers, progress)
            if validation and progress.elapsed - last_validation > validate_every:
                last_validation = progress.elapsed
                _save(fabric, run / "latest.ckpt", model, average, optimisers, progress)
                if fabric.is_global_zero:
                    say(f"step {progress.step}  " + str(validate(average, validation)), flush=True)
                fabric.barrier()
    if not kept:
        _save(fabric, run / "undecayed.ckpt", model, average, optimisers, progress)
    final = run / "final.ckpt"
    _save(fabric, final, model, average, optimisers, progress)
    if not fabric.is_global_zero:
        return None
    if validation:
        say("final  " + str(validate(average, validation)), flush=True)
    return final


def _resume(checkpoint: Path, recipe: Recipe, model: CwicModel, average: CwicModel, optimisers: Optimisers) -> None:
    state = load_checkpoint(checkpoint)
    load_into(average, state["average"], checkpoint)
    # A frozen g_a stays what it is now, so a fine-tune starts from the average, and its optimisers anew.
    load_into(model, state["average" if recipe.hard_rounding else "model"], checkpoint)
    if "optimisers" in state and not recipe.hard_rounding:
        optimisers.load_state_dict(state["optimisers"])


def _decoder_only(model: CwicModel) -> None:
    """Freezes what the encoder alone runs, and the gains: rounded symbols give them no honest gradient."""
    model.prior.hard_rounding = True
    frozen = [model.g_a, model.prior.h_a, model.prior.exact.log2_gain]
    for module in frozen:
        module.requires_grad_(False)


def _save(
    fabric: Fabric, path: Path, model: nn.Module, average: nn.Module, optimisers: Optimisers, progress: Progress
) -> None:
    if fabric.is_global_zero:
        extra = {"optimisers": optimisers.state_dict(), "step": progress.step, "elapsed": progress.elapsed}
        save_checkpoint(path, model, average, extra)


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)


def _silent(*_: object, **__: object) -> None:
    """What processes other than the first say."""
