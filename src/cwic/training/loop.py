"""The training loop, the same for one CPU, several processes and GPUs, through Lightning Fabric."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from lightning.fabric import Fabric

from cwic.errors import InputError
from cwic.training.data import Pictures, open_pictures
from cwic.training.divergence import diverged
from cwic.training.interrupt import Interrupt
from cwic.training.journal import Journal
from cwic.training.learner import Learner, Progress
from cwic.training.precision import fabric_precision
from cwic.training.recipe import Recipe
from cwic.training.run_folder import FINAL, LATEST, UNDECAYED, check_run, clear, goes_on, is_finished, to_go_on_from
from cwic.training.run_record import write_record
from cwic.training.schedule import is_decaying, share_done
from cwic.training.validation import sample, usable_pictures, validate

REPORT_EVERY = 20
"""Steps between two reports. Processes compare their clocks and signals at the same interval."""


class Outcome(NamedTuple):
    """The end of a run.

    Attributes:
        checkpoint: the last checkpoint; None in all processes but the first.
        finished: True if the run came to its end, False if it was stopped.
    """

    checkpoint: Path | None
    finished: bool


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
    save_every: float = 300.0,
    force: bool = False,
) -> Outcome:
    """Train for `budget` seconds or, if the recipe has `steps`, for those steps within `budget`.

    `run/final.ckpt` is the end, and `run/undecayed.ckpt` the state before the learning rates fell. `run/latest.ckpt` is
    written every `save_every` seconds, and when a signal or the budget stops the run before its end.

    A folder to `resume` goes on from its `latest.ckpt` as if nothing had happened: its time and steps so far count. If
    the rates had begun to fall, but are not to fall yet under a longer budget, it goes on from `undecayed.ckpt`. A
    finished run is only reported as such. A file to `resume` starts a new run from its weights, and from the states of
    its optimisers if they fit.

    Args:
        recipe: the recipe.
        data: the folder of pictures or shards.
        run: the folder of the run, which is made.
        budget: the time budget in seconds.
        validation: the folder of pictures to validate on.
        resume: the folder of a run to go on with, or a file to start from.
        devices: the number of processes on each node.
        accelerator: Lightning Fabric's name of the device: auto, cpu or cuda.
        validate_every: seconds between two validations.
        save_every: seconds between two saves of `latest.ckpt`.
        force: replace another run in `run`.

    Raises:
        InputError: data, validation pictures, checkpoint or device cannot be used; raised before the first step.
        OutputExistsError: `run` holds another run, and `force` is not given; raised before the first step.
        DivergedError: loss or weights are not finite any more.
    """
    check_device(accelerator, devices)
    check_run(run, resume, force)
    held_out = _held_out(validation, recipe)
    if resume is not None and resume.is_dir() and is_finished(resume, recipe, budget):
        print(f"{resume} is finished; a longer budget, or more steps in the recipe, let it go on", file=sys.stderr)
        return Outcome(resume / FINAL if _is_first() else None, True)
    # torchrun tells the number of nodes that it started on; each node has `devices` processes.
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=fabric_precision(accelerator))
    fabric.launch()
    if fabric.device.type == "cpu":
        # Networks this small gain nothing from a second thread and much from a second process (docs/training.md).
        torch.set_num_threads(1)
    pictures = open_pictures(data, recipe.crop, fabric.global_rank, fabric.world_size, fabric.device.type)
    listed = _list_skipped(pictures, 0)
    print(
        f"{len(pictures)} pictures, {pictures.too_small} more too small for the crop, {listed} unreadable",
        file=sys.stderr,
    )
    learner = Learner(fabric, recipe, pictures)
    if resume is not None and resume.is_dir():
        learner.start(to_go_on_from(resume, recipe, budget), whole=True)
    else:
        learner.start(resume)
    run.mkdir(parents=True, exist_ok=True)
    if fabric.is_global_zero:
        if force and not goes_on(run, resume):
            clear(run)
        write_record(run, recipe, _conditions(fabric, data, pictures, resume, budget))
    journal = Journal(run, fabric.is_global_zero, recipe.batch * recipe.accumulate * fabric.world_size)
    progress = learner.progress
    clock = _Clock(fabric, progress)
    saved = validated = progress.elapsed

    def report() -> None:
        if metrics := learner.metrics():
            done = share_done(progress.step, progress.elapsed, recipe.steps, budget)
            journal.report(progress.step, progress.elapsed, done, metrics)

    def refuse_diverged(ended: bool = False) -> None:
        if learner.has_diverged(ended):
            raise diverged(progress.step, run / LATEST)

    def check() -> None:
        if held_out and fabric.is_global_zero:
            try:
                result = validate(learner.average, recipe, held_out)
                shown = sample(learner.average, recipe, held_out[0])
                journal.validated(progress.step, progress.elapsed, result, shown)
            except Exception as error:  # such as a deleted file or too little memory: training goes on
                print(f"validation left out: {type(error).__name__}: {error}", file=sys.stderr)
        fabric.barrier()

    with Interrupt() as interrupt, journal:
        journal.start(progress.step, progress.elapsed)
        while True:
            done = share_done(progress.step, progress.elapsed, recipe.steps, budget)
            if not progress.kept and (done >= 1 or is_decaying(done, recipe.decay_share)):
                refuse_diverged()
                learner.save(run / UNDECAYED)
                progress.kept = True
            if done >= 1 or progress.elapsed >= budget or clock.stopped:
                break
            learner.step(done)
            if not clock.tick(interrupt.asked):
                continue
            report()
            refuse_diverged()
            if progress.elapsed - saved > save_every:
                saved = progress.elapsed
                learner.save(run / LATEST)
            if progress.elapsed - validated > validate_every:
                validated = progress.elapsed
                check()
        report()
        finished = done >= 1
        refuse_diverged(finished)
        end = run / (FINAL if finished else LATEST)
        learner.save(end)
        if finished:
            check()
    _list_skipped(pictures, listed)  # the unreadable pictures that shards showed meanwhile
    if dist.is_available() and dist.is_initialized():
        # A process that ends with the group's threads alive may abort.
        dist.destroy_process_group()
    return Outcome(end if fabric.is_global_zero else None, finished)


def check_device(accelerator: str, devices: int) -> None:
    """Raise `InputError` if the GPUs that are asked for do not exist."""
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator == "cuda" and not here:
        raise InputError("device cuda: there is no GPU that this torch can use; --device cpu trains on the processor")
    if here and accelerator in ("cuda", "auto") and devices > here:
        raise InputError(f"{devices} processes need as many GPUs, and there are {here}")


def _held_out(validation: Path | None, recipe: Recipe) -> list[Path]:
    """Return the pictures to validate on: none in all processes but the first, which validates."""
    if validation is None or not _is_first():
        return []
    found = usable_pictures(validation, recipe)
    for line in found.skipped:
        print(f"validation: skipped {line}", file=sys.stderr)
    return found.files


def _is_first() -> bool:
    """Return whether this is the first process of its group. The group need not be formed yet."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def _list_skipped(pictures: Pictures, listed: int) -> int:
    """Print the files that could not be read, except the first `listed`, and return the number of all of them."""
    skipped = list(pictures.skipped)
    for line in skipped[listed:]:
        print(f"skipped {line}", file=sys.stderr)
    return len(skipped)


def _conditions(fabric: Fabric, data: Path, pictures: Pictures, resume: Path | None, budget: float) -> dict[str, Any]:
    return {
        "data": str(data),
        "pictures_of_first_process": len(pictures),
        "resume": None if resume is None else str(resume),
        "budget_s": budget,
        "device": fabric.device.type,
        "precision": fabric_precision(fabric.device.type),
        "processes": fabric.world_size,
        "threads": torch.get_num_threads(),
    }


class _Clock:
    """One clock and one request to stop, shared by all processes, so that their learning rates do not drift apart."""

    def __init__(self, fabric: Fabric, progress: Progress) -> None:
        self._fabric, self._progress = fabric, progress
        self._start = time.monotonic() - progress.elapsed
        self.stopped = False

    def tick(self, asked: bool) -> bool:
        """Read the clock after a step, and return whether a report is due.

        Args:
            asked: this process was asked to stop; `stopped` is True once any process was.
        """
        due = self._progress.step % REPORT_EVERY == 0 or self._progress.step < 5
        if self._fabric.world_size == 1:
            self._progress.elapsed = time.monotonic() - self._start
            self.stopped = asked
        elif due:
            self._progress.elapsed = float(self._fabric.broadcast(time.monotonic() - self._start))
            wishes = self._fabric.all_reduce(torch.tensor(float(asked), device=self._fabric.device), reduce_op="max")
            self.stopped = bool(wishes)
        return due
