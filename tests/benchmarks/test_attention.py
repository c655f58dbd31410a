from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cwic.config import CwicConfig
from cwic.training.recipe import FOLDED, KEPT, load_recipe

ROOT = Path(__file__).parents[2]
TINY = """
crop = 64
batch = 1
resumed_attention = "{resumed}"
[model]
M = 16
analysis_blocks = 1
synthesis_blocks = 1
feature_width = 8
feature_growth = 4
attention_dim = 16
attention_heads = 2
hyper_channels = 8
hyper_width = 16
context_width = 16
context_blocks = 1
attention = "{attention}"
attention_form = "{form}"
"""


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "benchmarks" / "attention.py"))


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir()
    arms = (("none", "none", "residual", "kept"), ("window", "window", "residual", "dropped"))
    for name, attention, form, resumed in arms:
        (folder / f"{name}.toml").write_text(TINY.format(attention=attention, form=form, resumed=resumed))
    return folder


def test_arms_are_trained_and_tabled_once(
    script: dict[str, Any], recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["attention", "--smoke", "--device", "cpu", "--arms", "none", "window", "--out", str(out), "--states"]
    command += ["--recipes", str(recipes)]
    assert script["main"](command) == 0
    made = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in made[:6]] == [
        "none-time-1", "window-time-1", "none-time-2", "window-time-2", "none-steps-1", "window-steps-1"
    ]  # fmt: skip
    text = (out / "table.md").read_text()
    whole = json.loads((out / "table.json").read_text())
    assert {(row["arm"], row["mode"], row["seed"], row["steps"]) for row in whole["runs"]} == {
        (arm, mode, seed, 2) for arm in ("none", "window") for mode, seed in (("time", 1), ("time", 2), ("steps", 1))
    }
    assert whole["runs"][0]["labels"] == ["q20", "q40", "q60", "q80"]
    assert "one standard deviation of a run" in text
    assert text.count("| window |") == 2
    assert "the numbers mean nothing" in text
    before = {file: file.stat().st_mtime_ns for file in (out / "runs").iterdir()}
    # What every arm starts from; and nothing is trained again.
    assert script["main"](command) == 0
    assert {file: file.stat().st_mtime_ns for file in (out / "runs").iterdir()} == before
    from_state = [*command, "--state", str(out / "states" / "none.safetensors")]
    assert script["main"](from_state) == 1
    assert "of runs with another state" in capsys.readouterr().err
    from_state[from_state.index(str(out))] = str(tmp_path / "again")
    assert script["main"]([*from_state, "--arms", "window"]) == 0
    assert "it has no attention to drop; window attention" in capsys.readouterr().err


def test_what_has_no_time_is_said_to_be_missing(
    script: dict[str, Any], recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = script["noise_pictures"](tmp_path / "pictures")
    command = ["attention", "--budget", "1s", "--arm-time", "9s", "--device", "cpu", "--out", str(tmp_path / "out")]
    command += ["--data", str(pictures), "--validation", str(pictures), "--recipes", str(recipes)]
    assert script["main"]([*command, "--arms", "none", "window"]) == 0
    found = capsys.readouterr()
    assert found.out.count("Not measured yet.") == 2
    assert "runs are missing" in found.err
    assert not list((tmp_path / "out" / "runs").iterdir())
    assert script["main"]([*command, "--arms", "all"]) == 1
    assert "cannot read the recipe" in capsys.readouterr().err


def row(arm: str, mode: str, seed: int, *costs: float) -> dict[str, Any]:
    labels = [f"q{i}" for i in range(len(costs))]
    numbers = {"steps": 100, "crops_per_second": 50.0, "kmac_per_pixel": 10.0}
    return {"arm": arm, "mode": mode, "seed": seed, "J": list(costs), "labels": labels, **numbers}


def test_tables_compare_with_the_first_arm_and_know_the_noise(script: dict[str, Any]) -> None:
    study = script["Study"]("attention", ("none", "window", "lost", "later"), ("none",))
    rows = [row("none", "time", 1, 1.0, 4.0), row("window", "time", 1, 0.99, 3.96), row("lost", "time", 1)]
    text = script["tables"](study, rows, {"smoke": False, "state": None}, 45.0)
    assert "| none | 10.0 | 1 | 100 | 50 | 1.0000 | 4.0000 | 2.0000 |  |" in text
    assert "| window | 10.0 | 1 | 100 | 50 | 0.9900 | 3.9600 | 1.9800 | -1.00 % |" in text
    lost = next(line for line in text.splitlines() if "lost" in line)
    assert lost.endswith("| diverged |")
    assert next(line for line in text.splitlines() if "later" in line).endswith("not measured yet |")
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert "no arm has two seeds" in text
    assert text.index("Not measured yet.") > text.index("## Equal steps")
    rows.append(row("none", "time", 2, 1.02, 4.08))
    text = script["tables"](study, rows, {"smoke": False}, 45.0)
    assert "Noise: 1.40 % of J" in text  # ln 1.02 over the root of two
    assert "| none | 10.0 | 2 | 100 | 50 | 1.0100 | 4.0398 | 2.0199 |  |" in text
    assert "| window | 10.0 | 1 | 100 | 50 | 0.9900 | 3.9600 | 1.9800 | -1.00 % |" in text  # beside the same seed


def test_all_but_the_last_seeds_fit_the_budget(script: dict[str, Any]) -> None:
    for study in script["STUDIES"].values():
        runs = script["tasks"](study)
        assert len(set(runs)) == len(runs) == 3 * len(study.arms)
        early = 2 * len(study.arms) + len(study.paired)
        assert early * (script["arm_time"](study, 600.0) + script["AROUND"]) == pytest.approx(600.0)
        assert {(run.mode, run.seed) for run in runs[early:]} == {("time", 2)}


def test_the_recipes_differ_in_their_attention_alone(script: dict[str, Any]) -> None:
    found = {file.stem: load_recipe(file) for file in (ROOT / "recipes" / "attention").glob("*.toml")}
    assert set(found) == {*script["STUDIES"]["attention"].arms, "gated"}
    shipped = load_recipe(ROOT / "recipes" / "cwic-m.toml").model
    assert found["none"].model == shipped
    assert isinstance(shipped, CwicConfig)
    for name, recipe in found.items():
        assert isinstance(recipe.model, CwicConfig)
        assert recipe.name == f"attention-{name}"
        assert recipe.resumed_attention == (KEPT if name == "gated" else FOLDED)
        same = replace(recipe, name="", resumed_attention=FOLDED, model=shipped)
        assert same == replace(found["none"], name="")
        attention = {key: value for key, value in vars(shipped).items() if key.startswith("attention")}
        assert replace(recipe.model, **attention) == shipped
        kind = recipe.model.attention
        assert (kind, bool(recipe.model.attention_every)) == {
            "none": ("none", False), "gated": ("cross-window", False),
        }.get(name, (name.removesuffix("-trunk"), name.endswith("-trunk")))  # fmt: skip
