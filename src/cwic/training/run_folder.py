"""The folder of a run: its files, the check that a run may use it, and the checkpoint that a run goes on from."""

from __future__ import annotations

import shutil
from pathlib import Path

from cwic.errors import InputError, OutputExistsError
from cwic.training.checkpoint import load_checkpoint
from cwic.training.journal import BOARD, METRICS
from cwic.training.learner import Progress
from cwic.training.recipe import Recipe
from cwic.training.run_record import RECORD
from cwic.training.schedule import is_decaying, share_done

LATEST, UNDECAYED, FINAL = "latest.ckpt", "undecayed.ckpt", "final.ckpt"
_CHECKPOINTS = (LATEST, UNDECAYED, FINAL)
FILES = (*_CHECKPOINTS, METRICS, RECORD)


def goes_on(run: Path, resume: Path | None) -> bool:
    """Return whether `resume` is the folder `run` itself, so that its run goes on."""
    return resume is not None and resume.is_dir() and run.exists() and resume.samefile(run)


def check_run(run: Path, resume: Path | None, force: bool) -> None:
    """Check that a run may write to a folder, and that it can resume from `resume`.

    Args:
        run: the folder of the run.
        resume: the folder or the file to resume from; None for a new run.
        force: another run in the folder may be replaced.

    Raises:
        OutputExistsError: the folder holds another run, and `force` is not given.
        InputError: `resume` does not exist or has no checkpoint, or `run` is a file.
    """
    if resume is not None and not resume.exists():
        raise InputError(f"there is no {resume} to resume")
    if resume is not None and resume.is_dir() and not any((resume / name).exists() for name in _CHECKPOINTS):
        raise InputError(f"{resume} holds no checkpoint of a run to go on with")
    if run.exists() and not run.is_dir():
        raise InputError(f"{run}, the folder of the run, is a file")
    old = [name for name in (*_CHECKPOINTS, METRICS) if (run / name).exists()]
    if old and not force and not goes_on(run, resume):
        raise OutputExistsError(
            f"{run} holds a run already ({', '.join(old)}): --resume {run} goes on with it, --run names another "
            "folder, -f replaces it"
        )


def clear(run: Path) -> None:
    """Remove the files of an earlier run, and no others."""
    for name in FILES:
        (run / name).unlink(missing_ok=True)
    shutil.rmtree(run / BOARD, ignore_errors=True)


def is_finished(run: Path, recipe: Recipe, budget: float) -> bool:
    """Return whether the run in `run` came to its end and needs no more steps or time under `recipe` and `budget`."""
    if not (run / FINAL).exists():
        return False
    progress = _progress(run / FINAL)
    return share_done(progress.step, progress.elapsed, recipe.steps, budget) >= 1


def to_go_on_from(run: Path, recipe: Recipe, budget: float) -> Path:
    """Return the checkpoint from which a run goes on, so that it ends as an unbroken run of `budget` seconds would.

    Args:
        run: the folder of the interrupted or finished run.
        recipe: its recipe.
        budget: the time budget in seconds, including the time so far.

    Raises:
        InputError: only the decayed end is left.
    """
    latest, undecayed = run / LATEST, run / UNDECAYED
    if not latest.exists() and not undecayed.exists():
        raise InputError(
            f"{run} has neither {LATEST} nor {UNDECAYED} to go on from: --resume {run / FINAL} and --run with another "
            "folder start a new run from its weights"
        )
    if not undecayed.exists():
        return latest
    if latest.exists():
        progress = _progress(latest)
        done = share_done(progress.step, progress.elapsed, recipe.steps, budget)
        if progress.kept:
            return undecayed if not is_decaying(done, recipe.decay_share) else latest
        if progress.step > _progress(undecayed).step:
            return latest
    return undecayed


def _progress(checkpoint: Path) -> Progress:
    return Progress(**load_checkpoint(checkpoint).get("progress", {}))
