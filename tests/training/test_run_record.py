from __future__ import annotations

import json
import subprocess
from pathlib import Path

from cwic.training.recipe import Recipe
from cwic.training.run_record import git_state, hardware, write_record


def test_every_start_is_kept_with_what_it_ran_on(recipe: Recipe, tmp_path: Path) -> None:
    for processes in (1, 2):
        write_record(tmp_path, recipe, {"processes": processes})
    first, second = json.loads((tmp_path / "record.json").read_text())["starts"]
    assert (first["processes"], second["processes"]) == (1, 2)
    assert first["recipe"]["model"]["M"] == recipe.model.M
    assert first["recipe"]["muon_lr"] == Recipe.muon_lr
    assert {"torch", "numpy", "lightning"} <= set(first["packages"])
    assert first["hardware"]["processor"]
    assert hardware()["cores"] >= 1


def test_the_state_of_a_checkout_and_of_none(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        person = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", str(tmp_path), *person, *arguments], check=True, capture_output=True)

    assert git_state(tmp_path) is None
    git("init")
    (tmp_path / "a.py").write_text("a")
    assert git_state(tmp_path) is None  # not versioned: some environment inside a checkout
    git("add", "a.py")
    git("commit", "-m", "a")
    state = git_state(tmp_path)
    assert state is not None
    assert len(state["commit"]) == 40
    assert not state["dirty"]
    (tmp_path / "a.py").write_text("b")
    assert git_state(tmp_path)["dirty"]
