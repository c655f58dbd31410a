from __future__ import annotations

from pathlib import Path

import pytest

from cwic.models.cost import parts
from cwic.training.card import kilo_mac, model_card
from cwic.training.family import FAMILIES
from cwic.training.recipe import Recipe
from cwic.training.run_record import write_record
from cwic.training.validation import Validation


def test_the_cost_is_that_of_the_models_table(recipe: Recipe) -> None:
    model = FAMILIES["cwic"].build(recipe).eval()
    assert kilo_mac(model, recipe) == pytest.approx(parts(recipe.model)[-1].mac_per_pixel / 1000)


def test_a_card_says_what_it_is_how_it_was_made_and_what_it_does(paper_recipe: Recipe, tmp_path: Path) -> None:
    model = FAMILIES["cwam2024"].build(paper_recipe).eval()
    write_record(tmp_path, paper_recipe, {"data": "photographs"})
    validation = Validation(["lmbda 0.013"], [0.5], [30.0], [1.3451])
    progress = {"step": 1200, "elapsed": 5400.0}
    card = model_card(paper_recipe, model, "0badc0de", tmp_path / "final.ckpt", progress, validation)
    for text in ("# paper", "| model id | `0badc0de` |", "| run | 1,200 steps, 1.50 hours |", "lmbda = 0.013",
                 "| lmbda 0.013 | 0.5000 | 30.00 | 1.3451 |", '"photographs"', '"attention": "cross-'):  # fmt: skip
        assert text in card


def test_a_card_of_a_bare_state_has_no_run(recipe: Recipe, tmp_path: Path) -> None:
    model = FAMILIES["cwic"].build(recipe).eval()
    card = model_card(recipe, model, "0badc0de", tmp_path / "state.safetensors", {}, None)
    assert "200**(quality / 100)" in card
    assert "Validation" not in card
    assert "| run |" not in card
