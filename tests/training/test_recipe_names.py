from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cwic.errors import InputError
from cwic.training import recipe_names as module
from cwic.training.recipe import load_recipe
from cwic.training.recipe_names import find_recipe, recipe_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def test_every_recipe_of_the_checkout_has_a_name() -> None:
    assert recipe_names() == sorted(file.stem for file in (ROOT / "recipes").glob("*.toml"))
    for name in recipe_names():
        assert load_recipe(find_recipe(name)) == load_recipe(find_recipe(f"{name}.toml"))


def test_every_recipe_is_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    files = (file.relative_to(ROOT).as_posix() for file in (ROOT / "recipes").glob("*.toml"))
    recipes = {file: place for file, place in included.items() if file.startswith("recipes/")}
    assert recipes == {file: f"cwic/training/{file}" for file in files}


def test_an_installed_package_knows_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.toml").write_text("batch = 3")
    monkeypatch.setattr(module, "_FOLDERS", (tmp_path, tmp_path / "missing"))
    assert (recipe_names(), find_recipe("own")) == (["own"], tmp_path / "own.toml")


def test_a_path_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cwic-s").mkdir()
    assert find_recipe("cwic-s").is_file()
    os.mkfifo(tmp_path / "cwic-m")
    assert find_recipe("cwic-m") == Path("cwic-m")
    (tmp_path / "cwic-s.toml").write_text("")
    assert find_recipe("cwic-s.toml") == Path("cwic-s.toml")
    for name in ("cwic-x", "other/cwic-s", str(tmp_path / "missing.toml")):
        with pytest.raises(InputError, match=r"there are: cwam2024, .*cwic-s"):
            find_recipe(name)
