from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from cwic.errors import InputError, OutputExistsError
from cwic.training.learner import Progress
from cwic.training.recipe import Recipe
from cwic.training.run_folder import FILES, FINAL, LATEST, UNDECAYED, check_run, clear, goes_on, is_finished
from cwic.training.run_folder import to_go_on_from as start_of


def put(run: Path, name: str, step: int, kept: bool = False) -> Path:
    """A checkpoint of a run that takes a second a step."""
    run.mkdir(exist_ok=True)
    progress = asdict(Progress(step=step, elapsed=float(step), kept=kept))
    torch.save({"model": {}, "average": {}, "progress": progress}, run / name)
    return run / name


@pytest.mark.parametrize("name", [LATEST, UNDECAYED, FINAL, "metrics.jsonl"])
def test_the_folder_of_another_run_is_refused(tmp_path: Path, name: str) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    check_run(run, None, force=False)
    run.mkdir()
    (run / "notes.txt").touch()
    check_run(run, None, force=False)
    (run / name).touch()
    put(other, LATEST, 1)
    for resume in (None, other, other / LATEST):
        with pytest.raises(OutputExistsError, match=f"holds a run already.*--resume {run}"):
            check_run(run, resume, force=False)
        check_run(run, resume, force=True)
    if name.endswith("ckpt"):
        check_run(run, run, force=False)
        check_run(run, run / ".." / "run", force=False)
        with pytest.raises(OutputExistsError):  # a new run from its weights is another run
            check_run(run, run / name, force=False)


def test_a_resume_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no"):
        check_run(tmp_path / "run", tmp_path / "missing", force=True)
    with pytest.raises(InputError, match="no checkpoint"):
        check_run(tmp_path / "run", tmp_path, force=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        check_run(tmp_path / "file", None, force=True)


def test_only_the_files_of_a_run_are_removed(tmp_path: Path) -> None:
    for name in (*FILES, "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "tensorboard").mkdir()
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_goes_on_in_its_own_folder(tmp_path: Path) -> None:
    put(tmp_path / "run", LATEST, 1)
    assert goes_on(tmp_path / "run", tmp_path / "run")
    assert not goes_on(tmp_path / "other", tmp_path / "run")
    assert not goes_on(tmp_path / "run", tmp_path / "run" / LATEST)
    assert not goes_on(tmp_path / "run", None)


def test_a_run_is_finished_for_what_it_was_given(tmp_path: Path, recipe: Recipe) -> None:
    assert not is_finished(tmp_path, recipe, 10)
    put(tmp_path, FINAL, 10)
    assert is_finished(tmp_path, recipe, 10)
    assert is_finished(tmp_path, recipe, 5)
    assert not is_finished(tmp_path, recipe, 11)


def test_it_goes_on_from_where_an_unbroken_run_would_be(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=f"--resume {tmp_path / FINAL}"):
        start_of(tmp_path, recipe, 10)
    latest = put(tmp_path, LATEST, 6)
    assert start_of(tmp_path, recipe, 10) == latest
    undecayed = put(tmp_path, UNDECAYED, 8)
    assert start_of(tmp_path, recipe, 20) == undecayed  # the later of the two
    put(tmp_path, LATEST, 9, kept=True)
    assert start_of(tmp_path, recipe, 10) == latest
    assert start_of(tmp_path, recipe, 20) == undecayed  # the rates of the latest have begun to fall too early
