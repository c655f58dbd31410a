from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.fabric import Fabric

from cwic.errors import InputError
from cwic.training.checkpoint import load_checkpoint
from cwic.training.data import PictureFolder
from cwic.training.learner import LATEST, Learner
from cwic.training.recipe import Recipe


@pytest.fixture
def pictures(folder: Path) -> PictureFolder:
    return PictureFolder(folder, 64)


@pytest.fixture(params=["cwic", "cwam2024"])
def any_recipe(request: pytest.FixtureRequest, recipe: Recipe, paper_recipe: Recipe) -> Recipe:
    return recipe if request.param == "cwic" else paper_recipe


def learner(recipe: Recipe, pictures: PictureFolder, resume: Path | None = None) -> Learner:
    made = Learner(Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"), recipe, pictures)
    made.start(resume)
    return made


def test_a_state_goes_on_bit_for_bit(any_recipe: Recipe, pictures: PictureFolder, tmp_path: Path) -> None:
    whole = learner(any_recipe, pictures)
    for step in range(5):
        if step == 3:
            whole.save(tmp_path / LATEST)
        whole.step(step / 5)
    whole.save(tmp_path / "whole.ckpt")
    resumed = learner(any_recipe, pictures, tmp_path)
    assert resumed.progress.step == 3
    for step in range(3, 5):
        resumed.step(step / 5)
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


def test_a_step_can_be_made_of_several_batches(recipe: Recipe, pictures: PictureFolder) -> None:
    taught = learner(replace(recipe, accumulate=3), pictures)
    taught.step(0.0)
    assert taught.progress.step == 1
    metrics = taught.metrics()
    assert metrics.bpp > 0
    # Three batches were drawn: the generator stands where three single steps leave it.
    single = learner(recipe, pictures)
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
    recipe: Recipe, pictures: PictureFolder, tmp_path: Path, name: str
) -> None:
    learner(recipe, pictures).save(tmp_path / LATEST)
    state = torch.load(tmp_path / LATEST, weights_only=True)
    if name == "random":
        del state["random"]
    else:
        state["random"] *= 2
    torch.save(state, tmp_path / LATEST)
    with pytest.raises(InputError, match=r"latest\.ckpt is not the state of a run of 1 processes"):
        learner(recipe, pictures, tmp_path)
