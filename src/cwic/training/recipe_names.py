"""Find recipes by name: the package brings its own, so that nobody needs a checkout to train."""

from __future__ import annotations

from pathlib import Path

import cwic
from cwic.errors import InputError

SUFFIX = ".toml"
_PACKAGE = Path(cwic.__file__).parent
_FOLDERS = (
    _PACKAGE / "training" / "recipes",  # of an installed package
    _PACKAGE.parents[1] / "recipes",  # of a checkout
)


def recipe_names() -> list[str]:
    """Return the names that `find_recipe` knows, sorted."""
    return sorted({file.stem for folder in _FOLDERS for file in folder.glob(f"*{SUFFIX}")})


def find_recipe(name: str) -> Path:
    """Return the file of a recipe: the one at that path, or else the one of that name in the package.

    Raises:
        InputError: there is none.
    """
    path = Path(name)
    if path.exists() and not path.is_dir():
        return path
    for folder in _FOLDERS:
        found = folder / f"{path.name.removesuffix(SUFFIX)}{SUFFIX}"
        if path.parent == Path() and found.is_file():
            return found
    raise InputError(f"there is no recipe {name}; there are: {', '.join(recipe_names())}, and the paths of TOML files")
