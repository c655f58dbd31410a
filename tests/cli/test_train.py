"""`cwic train`: the command around the loop. The loop and the export have tests of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from cwic.cli.train import seconds_of

Run = Callable[..., Any]


@pytest.mark.parametrize(("text", "seconds"), [("2h30m", 9000), ("90m", 5400), ("45s", 45), ("1h1m1s", 3661)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "30m2h", "-5m", "1.5h", "soon"])
def test_other_times_are_usage_errors(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds_of(text)


def test_a_bad_recipe_ends_in_one_line(run_cwic: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("batsch = 4\n")
    answer = run_cwic("train", recipe, "--data", tmp_path, "--run", tmp_path / "run")
    assert answer.code == 1
    assert "did you mean batch?" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_recipe_is_named_without_a_path(run_cwic: Run, tmp_path: Path, never_trained: list[str]) -> None:
    answer = run_cwic("train", "cwic-x", "--data", tmp_path)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "there are: " in answer.err
    assert "cwic-s" in answer.err
    run_cwic("train", "cwic-s-eye", "--data", tmp_path)
    assert never_trained == ["cwic-s-eye"]


@pytest.fixture
def never_trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the recipes that would have been trained."""
    import cwic.training.loop
    from cwic.training.loop import Outcome

    asked: list[str] = []

    def train(recipe: Any, data: Path, run: Path, *_: object, **__: object) -> Outcome:
        asked.append(recipe.name)
        return Outcome(run / "final.ckpt", True)

    monkeypatch.setattr(cwic.training.loop, "train", train)
    return asked


def test_outputs_that_cannot_be_written_are_found_before_training(
    run_cwic: Run, tmp_path: Path, never_trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("old.safetensors", "old2.md"):
        (tmp_path / name).touch()
    (tmp_path / "folder.safetensors").mkdir()

    def code(*options: str) -> int:
        return int(run_cwic("train", "cwic-s", "--data", "pictures", *options).code)

    assert code("--export", "old.safetensors") == 6
    assert code("--export", "old2.safetensors") == 6  # its card is there
    assert code("--state", "old.safetensors") == 6
    for option in ("--export", "--state"):
        assert code(option, "missing/new.safetensors") == 1
        assert code(option, "folder.safetensors", "-f") == 1
    assert code("--export", "new.md") == 1
    assert code("--export", "run/final.ckpt") == 1
    assert code("--export", "n.safetensors", "--state", "./n.safetensors") == 1
    assert code("--state", "state.ckpt") == 2
    assert never_trained == []
    monkeypatch.setattr("cwic.training.export.export_checkpoint", lambda *_, **__: "0badc0de")
    assert code("--export", "old.safetensors", "-f") == 0
    assert code("--export", "run/new.safetensors") == 0
    assert never_trained == ["cwic-s", "cwic-s"]


def test_an_earlier_run_is_kept_unless_force(run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "final.ckpt").write_bytes(b"old")
    answer = run_cwic("train", "cwic-s", "--data", tmp_path)
    assert (answer.code, answer.err.count("\n")) == (6, 1)
    assert "--resume run" in answer.err
    # With it, the next thing that is missed are the pictures.
    assert "no pictures" in run_cwic("train", "cwic-s", "--data", tmp_path, "-f", "--device", "cpu").err
    assert (tmp_path / "run" / "final.ckpt").read_bytes() == b"old"


@pytest.mark.parametrize("package", ["torch", "lightning"])
def test_without_its_packages_it_says_what_to_install(
    run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    recipe = tmp_path / "r.toml"
    answer = run_cwic("train", recipe, "--data", tmp_path)
    assert answer.code == 1
    assert answer.err == f"cwic: {recipe}: {package} is not installed: pip install cwic[train]\n"


def test_training_writes_a_checkpoint_and_names_it(
    run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cwic.training.export
    import cwic.training.loop
    from cwic.training.loop import Outcome

    seen: dict[str, Any] = {}

    def fake_train(recipe: Any, data: Path, run: Path, budget: float, **options: Any) -> Outcome:
        seen.update(options, recipe=recipe, data=data, budget=budget)
        return Outcome(run / "final.ckpt", True)

    def fake_export(*_: object, list_skipped: bool) -> str:
        seen["listed again"] = list_skipped
        return "0badc0de"

    monkeypatch.setattr(cwic.training.loop, "train", fake_train)
    monkeypatch.setattr(cwic.training.export, "export_checkpoint", fake_export)
    recipe = tmp_path / "r.toml"
    recipe.write_text("batch = 3\n")
    arguments = (
        "--data",
        tmp_path,
        "--run",
        "out",
        "--time-budget",
        "2m",
        "--processes",
        2,
        "--export",
        "w.safetensors",
        "--tune",
        "ms-ssim",
    )
    answer = run_cwic("train", recipe, *arguments)
    assert answer.code == 0
    assert (seen["recipe"].tune, seen["recipe"].name) == ("ms-ssim", "cwic-s-ms-ssim")
    assert seen["recipe"].batch == 3
    assert (seen["data"], seen["budget"], seen["devices"]) == (tmp_path, 120, 2)
    assert not seen["listed again"]  # training names the validation pictures that it skips
    assert all(word in answer.out.decode() for word in ("final.ckpt", "w.safetensors", "0badc0de"))


def test_a_run_that_is_stopped_says_how_to_go_on(
    run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cwic.training.loop
    from cwic.training.loop import Outcome

    seen: dict[str, Any] = {}

    def fake_train(recipe: Any, data: Path, run: Path, budget: float, **options: Any) -> Outcome:
        seen.update(options, run=run)
        return Outcome(run / "latest.ckpt", False)

    monkeypatch.setattr(cwic.training.loop, "train", fake_train)
    recipe = tmp_path / "r.toml"
    recipe.write_text("")
    answer = run_cwic("train", recipe, "--data", tmp_path, "--run", "out", "--device", "cpu", "--export", "w")
    assert answer.code == 130
    assert "--resume out" in answer.out.decode()
    assert seen["accelerator"] == "cpu"
    assert run_cwic("train", recipe, "--data", tmp_path, "--device", "tpu").code == 2
    # A run that goes on does so in its own folder.
    run_cwic("train", recipe, "--data", tmp_path, "--resume", tmp_path)
    assert (seen["resume"], seen["run"]) == (tmp_path, tmp_path)
