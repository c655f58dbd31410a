from __future__ import annotations

from pathlib import Path

from cwic.training.card import model_card
from cwic.training.recipe import Recipe
from cwic.training.run_record import write_record
from cwic.training.validation import Validation


def test_a_card_says_what_it_is_how_it_was_made_and_what_it_does(paper_recipe: Recipe, tmp_path: Path) -> None:
    write_record(tmp_path, paper_recipe, {"data": "photographs"})
    validation = Validation(["lmbda 0.013"], [0.5], [30.0], [1.3451])
    progress = {"step": 1200, "elapsed": 5400.0}
    card = model_card(paper_recipe, "0badc0de", tmp_path / "final.ckpt", progress, validation)
    for text in ("# paper", "| model id | `0badc0de` |", "| run | 1,200 steps, 1.50 hours |", "lmbda = 0.013",
                 "| lmbda 0.013 | 0.5000 | 30.00 | 1.3451 |", '"photographs"', '"attention": "cross-'):  # fmt: skip
        assert text in card


def test_a_card_of_a_bare_state_has_no_run(recipe: Recipe, tmp_path: Path) -> None:
    card = model_card(recipe, "0badc0de", tmp_path / "state.safetensors", {}, None)
    assert "| trained for | `lmbda * 255**2 * MSE + bpp`, `lmbda = 0.0009 * 200**(quality / 100)`" in card
    assert "Validation" not in card
    assert "| run |" not in card


def test_the_card_of_a_tuned_model_says_for_what(tmp_path: Path) -> None:
    card = model_card(Recipe().tuned("ms-ssim"), "0badc0de", tmp_path / "state.safetensors", {}, None)
    assert "# cwic-s-ms-ssim" in card
    assert "| trained for | `lmbda * (1 - MS-SSIM) + bpp`, `lmbda = 1.125 * 200**(quality / 100)`" in card
