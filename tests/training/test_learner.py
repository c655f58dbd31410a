from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric

from cwic.errors import InputError
from cwic.lab.without_attention import is_attention
from cwic.training.checkpoint import load_checkpoint
from cwic.training.data import PictureFolder
from cwic.training.learner import Learner
from cwic.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pictures(folder: Path) -> PictureFolder:
    return PictureFolder(folder, 64)


@pytest.fixture(params=["cwic", "cwam2024"])
def any_recipe(request: pytest.FixtureRequest, recipe: Recipe, paper_recipe: Recipe) -> Recipe:
    return recipe if request.param == "cwic" else paper_recipe


def learner(recipe: Recipe, pictures: PictureFolder, resume: Path | None = None) -> Learner:
    made = Learner(Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"), recipe, pictures)
    made.start(resume, whole=resume is not None)
    return made


def test_a_state_goes_on_bit_for_bit(any_recipe: Recipe, pictures: PictureFolder, tmp_path: Path) -> None:
    whole = learner(any_recipe, pictures)
    whole.step(0.0)
    whole.save(tmp_path / "latest.ckpt")
    whole.step(0.9)
    whole.save(tmp_path / "whole.ckpt")
    resumed = learner(any_recipe, pictures, tmp_path / "latest.ckpt")
    assert resumed.progress.step == 1
    resumed.step(0.9)
    resumed.save(tmp_path / "resumed.ckpt")
    first, second = (load_checkpoint(tmp_path / f"{name}.ckpt") for name in ("whole", "resumed"))
    same(first, second)


def same(first: object, second: object) -> None:
    """Equal, tensors bit for bit."""
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            same(one, other)
    else:
        assert first == second


def test_a_new_run_starts_from_the_weights_of_a_fine_tune(
    recipe: Recipe, pictures: PictureFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = learner(replace(recipe, hard_rounding=True), pictures)
    tuned.step(0.0)
    tuned.save(tmp_path / "final.ckpt")
    started = Learner(Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"), recipe, pictures)
    started.start(tmp_path / "final.ckpt")
    assert "learnt other parameters" in capsys.readouterr().err
    same(started.average.state_dict(), tuned.average.state_dict())
    started.step(0.0)
    assert started.metrics() is not None


RESIDUAL: dict[str, Any] = {"attention_form": "residual"}


@pytest.mark.parametrize(
    ("how", "shape", "told"),
    [
        ("dropped", {"attention": "none"}, "its attention is dropped"),
        ("folded", {"attention": "none"}, "its attention is folded into the Haar maps, which miss"),
        ("folded", RESIDUAL, "cross-window attention of the residual form starts anew"),
        ("dropped", RESIDUAL | {"attention": "window", "attention_every": 1}, "window attention of the residual form"),
    ],
)
def test_a_run_starts_from_a_state_with_other_attention(
    recipe: Recipe,
    pictures: PictureFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    how: str,
    shape: dict[str, Any],
    told: str,
) -> None:
    gated = learner(recipe, pictures)
    gated.step(0.0)
    gated.save(tmp_path / "gated.ckpt")
    other = replace(recipe, model=replace(recipe.model, **shape), resumed_attention=how)
    started = Learner(Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"), other, pictures)
    fresh = {name: tensor.clone() for name, tensor in started.average.state_dict().items() if is_attention(name)}
    started.start(tmp_path / "gated.ckpt")
    err = capsys.readouterr().err
    assert told in err
    assert "the optimisers start anew" in err
    before, after = gated.average.state_dict(), started.average.state_dict()
    changed = {name for name in after if name in before and not torch.equal(after[name], before[name])}
    moved = {f"{transform}.haar.weight" for transform in ("g_a", "g_s")} if how == "folded" else set()
    assert {name for name in changed if not is_attention(name)} == moved
    assert {name for name in after if is_attention(name)} == set(fresh)
    assert all(torch.equal(after[name], tensor) for name, tensor in fresh.items())
    started.step(0.0)
    assert started.metrics() is not None


def test_other_attention_is_never_taken_silently(recipe: Recipe, pictures: PictureFolder, tmp_path: Path) -> None:
    learner(recipe, pictures).save(tmp_path / "gated.ckpt")
    none = replace(recipe, model=replace(recipe.model, attention="none"))
    learner(none, pictures).save(tmp_path / "none.ckpt")
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    for first, other in (("gated", none), ("none", recipe)):
        with pytest.raises(InputError, match=r"attention.*resumed_attention in a recipe says"):
            Learner(fabric, other, pictures).start(tmp_path / f"{first}.ckpt")
    with pytest.raises(InputError, match="cannot be folded: no gated attention"):
        Learner(fabric, replace(none, resumed_attention="folded"), pictures).start(tmp_path / "none.ckpt")


def test_a_state_without_attention_can_be_given_some(
    recipe: Recipe, pictures: PictureFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner(replace(recipe, model=replace(recipe.model, attention="none")), pictures).save(tmp_path / "none.ckpt")
    other = replace(recipe, model=replace(recipe.model, **RESIDUAL), resumed_attention="dropped")
    Learner(Fabric(accelerator="cpu", devices=1), other, pictures).start(tmp_path / "none.ckpt")
    assert "it has no attention to drop; cross-window attention" in capsys.readouterr().err


def test_a_step_can_be_made_of_several_batches(paper_recipe: Recipe, pictures: PictureFolder) -> None:
    taught = learner(replace(paper_recipe, accumulate=3), pictures)
    taught.step(0.0)
    assert taught.progress.step == 1
    metrics = taught.metrics()
    assert metrics is not None
    assert metrics.bpp > 0
    assert taught.metrics() is None
    # Three batches were drawn: the generator stands where three single steps leave it.
    single = learner(paper_recipe, pictures)
    for _ in range(3):
        single.step(0.0)
    assert torch.equal(*(each._crops() for each in (taught, single)))


def test_quantiles_learn_from_their_own_loss(paper_recipe: Recipe, pictures: PictureFolder) -> None:
    taught = learner(replace(paper_recipe, clip_norm=0.0), pictures)
    before = {name: p.detach().clone() for name, p in taught.average.named_parameters()}
    taught.step(1.0)  # all other rates are zero
    moved = [name for name, p in taught.average.named_parameters() if not torch.equal(p, before[name])]
    assert moved == ["entropy_bottleneck.quantiles"]


@pytest.mark.parametrize("name", ["random", "count"])
def test_a_state_without_its_random_numbers_is_no_run(
    paper_recipe: Recipe, pictures: PictureFolder, tmp_path: Path, name: str
) -> None:
    learner(paper_recipe, pictures).save(tmp_path / "latest.ckpt")
    state = torch.load(tmp_path / "latest.ckpt", weights_only=True)
    if name == "random":
        del state["random"]
    else:
        state["random"] *= 2
    torch.save(state, tmp_path / "latest.ckpt")
    with pytest.raises(InputError, match=r"latest\.ckpt is not the state of a run of 1 processes"):
        learner(paper_recipe, pictures, tmp_path / "latest.ckpt")


TWO_PROCESSES = """
import sys
from pathlib import Path
import torch
from cwic.training import learner, loop
from cwic.training.recipe import load_recipe

save = learner.Learner.save

def save_each(self, path):
    save(self, path)
    torch.save(self._model.state_dict(), f"{path}.{self._fabric.global_rank}")

learner.Learner.save = save_each
folder = Path(sys.argv[1])
loop.train(load_recipe(folder / "r.toml"), folder / "pictures", folder / "run", 1000, devices=2, accelerator="cpu")
"""


def test_two_processes_learn_one_model_from_both_their_pictures(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        'family = "cwam2024"\nlmbda = 0.013\nsteps = 2\ncrop = 64\nbatch = 1\naccumulate = 2\n[model]\nN = 8\n'
        "feature_encoding = false\n"
    )
    (tmp_path / "two.py").write_text(TWO_PROCESSES)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "two.py"), str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    final = tmp_path / "run" / "final.ckpt"
    first, second = (torch.load(f"{final}.{rank}", weights_only=True) for rank in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    state = load_checkpoint(final)
    assert all(torch.equal(tensor, state["model"][name]) for name, tensor in first.items())
    one, other = state["random"]
    assert one["numpy"] != other["numpy"]  # each draws crops of its own
    assert state["progress"]["step"] == 2
