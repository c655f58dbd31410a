"""The page's files, and a folder of them with models that any server can hand out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cwic
from cwic.errors import InputError
from cwic.image.files import write_atomically
from cwic.view.page_model import page_model, page_models

_PACKAGE = Path(cwic.__file__).parent
_FOLDERS = (
    _PACKAGE / "view" / "page",  # of an installed package
    _PACKAGE.parents[1] / "web" / "dist",  # of a checkout
)
MODELS = "models"
"""The folder of the models, beside the page."""


def page_files() -> dict[str, Path]:
    """The files of the page by their names. Raises `InputError` where they are not in the package."""
    for folder in _FOLDERS:
        if (folder / "index.html").is_file():
            return {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}
    raise InputError("the page is not in this package: build it from web/ (docs/web.md)")


def write_site(folder: str | os.PathLike[str], models: Sequence[str], *, force: bool = False) -> list[Path]:
    """Writes the page with `models` into `folder`, made where it is not there. Returns what was written.

    Raises `InputError`, `OutputExistsError` for files that are there already, unless `force`, and `ModelError`.
    """
    wanted = {file: name for file, name in page_models().items() if name in models}
    if unknown := set(models) - set(wanted.values()):
        raise InputError(f"the page cannot decode {', '.join(sorted(unknown))}")
    target = Path(folder)
    try:
        (target / MODELS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {target}: {error.strerror}") from error
    written = []
    for name, source in page_files().items():
        write_atomically(target / name, source.read_bytes(), force=force)
        written.append(target / name)
    for file, name in wanted.items():
        write_atomically(target / MODELS / file, page_model(name, analysis="-analysis" in file), force=force)
        written.append(target / MODELS / file)
    return written
