from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cwic.config import Cwam2024Config
from cwic.errors import InputError
from cwic.lab.cost import parts
from cwic.models.catalog import CATALOG
from cwic.training.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[2]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, "")) == Recipe()


def test_numbers_names_and_the_model_are_read(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, 'name = "x"\nclip_norm = 3\nhard_rounding = true\n[model]\nM = 64\n'))
    assert (recipe.name, recipe.clip_norm, recipe.hard_rounding, recipe.model.M) == ("x", 3, True, 64)
    assert asdict(recipe) == asdict(Recipe()) | {
        "name": "x", "clip_norm": 3, "hard_rounding": True, "model": asdict(Recipe().model) | {"M": 64}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("muon_rl = 1e-3", "unknown key muon_rl in the recipe; did you mean muon_lr"),
        ("zzz = 1", r"unknown key zzz in the recipe$"),
        ("[model]\ncontext_widht = 5", r"model\.context_widht in the recipe; did you mean model\.context_width"),
        ('batch = "4"', "batch in the recipe must be of type int, not '4'"),
        ("batch = 4.0", "batch in the recipe must be of type int"),
        ("batch = true", "batch in the recipe must be of type int, not True"),
        ("muon_lr = true", "muon_lr in the recipe must be of type float"),
        ("hard_rounding = 1", "hard_rounding in the recipe must be of type bool"),
        ("name = 3", "name in the recipe must be of type str"),
        ("crop = 100", "crop must be a multiple of 64"),
        ("crop = 0", "crop must be a multiple of 64"),
        ("batch = ", "cannot read the recipe"),
        ("[model]\nM = 6", "multiple of the 4 channel groups"),
        ("model = 3", "model"),
        ('optimiser = "adam"', "unknown optimiser 'adam'; there are: muon, soap, adamw"),
        ('tune = "ssim"', "unknown tune 'ssim'; there are: psnr, ms-ssim, eye"),
        ('tune = "ms-ssim"\ncrop = 128', "crop must be at least 161 for ms-ssim, not 128"),
        ('tune = "eye"\ncrop = 192', "crop must be at least 256 for eye, not 192"),
        ("downscale = 0.5", "downscale must be at least 1"),
        ('family = "cwix"', "unknown family 'cwix' in the recipe; there are: cwic, cwam2024"),
        ('family = "cwam2024"', "needs a lmbda above 0"),
        ('family = "cwam2024"\nlmbda = 0.01\nhard_rounding = true', "has no hard_rounding"),
        ("lmbda = 0.01", "leave lmbda out"),
        ('resumed_attention = "new"', "resumed_attention is one of kept, dropped, folded, not 'new'"),
        ('family = "cwam2024"\nlmbda = 0.01\nresumed_attention = "dropped"', "leave resumed_attention out"),
        ('[model]\nattention_form = "open"', "attention_form is one of gated, residual, not 'open'"),
        ("[model]\nattention_every = true", "attention_every in the recipe must be of type int"),
        ('family = "cwam2024"\nlmbda = 0.01\n[model]\nM = 8', r"unknown key model\.M"),
        ('family = "cwam2024"\nlmbda = 0.01\n[model]\nattention = "all"', "attention is one of"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_recipe(write(tmp_path, text))


def test_a_tuned_recipe_is_another_model_with_another_loss() -> None:
    recipe = Recipe(name="cwic-s", batch=3)
    assert recipe.loss == "lmbda * 255**2 * MSE + bpp"
    assert recipe.tuned("psnr") is recipe
    tuned = recipe.tuned("ms-ssim")
    assert (tuned.name, tuned.batch, tuned.loss) == ("cwic-s-ms-ssim", 3, "lmbda * (1 - MS-SSIM) + bpp")
    assert "(100 - SSIMULACRA2)" in recipe.tuned("eye").loss


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read"):
        load_recipe(tmp_path / "binary.toml")


def test_the_ablations_differ_in_nothing_but_their_parts() -> None:
    recipes = {file.stem: load_recipe(file) for file in (ROOT / "recipes" / "ablation").glob("*.toml")}
    parts = {name: (recipe.model.feature_encoding, recipe.model.attention) for name, recipe in recipes.items()}
    assert parts == {
        "plain": (False, "none"),
        "cross": (False, "cross-window"),
        "encoding": (True, "none"),
        "cross-encoding": (True, "cross-window"),
        "window-encoding": (True, "window"),
    }
    shared = {replace(recipe, name="", model=Cwam2024Config(recipe.model.N)) for recipe in recipes.values()}
    assert len(shared) == 1
    for name, recipe in recipes.items():
        assert recipe.name == f"ablation-{name}"


@pytest.mark.parametrize("name", CATALOG)
def test_every_published_model_has_its_recipe(name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / f"{name}.toml")
    assert recipe.name == name
    assert recipe.model == CATALOG[name].config


def test_the_middle_model_is_as_large_as_it_may_be() -> None:
    recipe = load_recipe(ROOT / "recipes" / "cwic-m.toml")
    total = parts(recipe.model)[-1]
    assert 100_000 < total.mac_per_pixel <= 130_000
    assert 12_000_000 < total.parameters <= 16_000_000
