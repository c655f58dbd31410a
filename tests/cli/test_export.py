"""`cwic export`: the command. The export itself has tests of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    import cwic.training.export

    calls: list[Any] = []

    def fake(*arguments: Any, bits_of: str | None = None) -> str:
        calls.append((*arguments, bits_of))
        return "0badc0de"

    monkeypatch.setattr(cwic.training.export, "export_checkpoint", fake)
    return calls


def test_a_checkpoint_becomes_a_weight_file(run_cwic: Run, tmp_path: Path, seen: list[Any]) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "mine"\n')
    arguments = (recipe, "a.ckpt", "-o", "w.safetensors", "--data", tmp_path, "--validation", tmp_path, "--json")
    answer = run_cwic("export", *arguments)
    assert answer.code == 0
    assert json.loads(answer.out) == {"weights": "w.safetensors", "model_id": "0badc0de"}
    checkpoint, output, loaded, data, validation, bits_of = seen[0]
    assert (checkpoint, output, loaded.name) == (Path("a.ckpt"), Path("w.safetensors"), "mine")
    assert data == validation == tmp_path
    assert bits_of is None
    assert run_cwic("export", *arguments, "-f", "--bits-of", "cwic-s").code == 0
    assert seen[1][-1] == "cwic-s"


def test_weights_that_are_there_are_kept(run_cwic: Run, tmp_path: Path, seen: list[Any]) -> None:
    recipe, weights = tmp_path / "r.toml", tmp_path / "w.safetensors"
    recipe.write_text("")
    weights.write_text("old")
    assert run_cwic("export", recipe, "a.ckpt", "-o", weights, "--data", tmp_path).code == 6
    assert not seen
    assert run_cwic("export", recipe, "a.ckpt", "-o", weights, "--data", tmp_path, "-f").code == 0


def test_a_card_that_is_there_is_kept(run_cwic: Run, tmp_path: Path, seen: list[Any]) -> None:
    (tmp_path / "README.md").write_text("mine")
    arguments = ("export", "cwic-s", "a.ckpt", "--data", tmp_path, "-o")
    assert run_cwic(*arguments, tmp_path / "README.safetensors").code == 6
    assert run_cwic(*arguments, tmp_path / "card.md").code == 1
    assert run_cwic(*arguments, tmp_path / "missing" / "w.safetensors").code == 1
    assert not seen
    assert run_cwic(*arguments, tmp_path / "README.safetensors", "-f").code == 0


def test_without_torch_it_says_what_to_install(run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = run_cwic("export", tmp_path / "r.toml", "a.ckpt", "-o", "w", "--data", tmp_path)
    assert (answer.code, answer.err) == (1, "cwic: a.ckpt: torch is not installed: pip install cwic[train]\n")


def test_a_missing_checkpoint_ends_in_one_line(run_cwic: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("")
    answer = run_cwic("export", recipe, tmp_path / "a.ckpt", "-o", tmp_path / "w", "--data", tmp_path)
    assert answer.code == 1
    assert "cannot read the checkpoint" in answer.err
