"""The files of the page, and a folder with them and models that any web server can serve."""

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
    """Return the files of the page by their names. Raises `InputError` if the package lacks them."""
    for folder in _FOLDERS:
        if (folder / "index.html").is_file():
            return {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}
    raise InputError("the page is not in this package: build it from web/ (docs/web.md)")


def write_site(folder: str | os.PathLike[str], models: Sequence[str], *, force: bool = False) -> list[Path]:
    """Write the page with models into a folder.

    Args:
        folder: the folder, which is made if it does not exist.
        models: the names of the models.
        force: replace existing files.

    Returns:
        The files that were written.

    Raises:
        InputError: the page cannot decode a model, or the folder cannot be made.
        OutputExistsError: a file exists, and `force` is not given.
        ModelError: a model cannot be read or does not fit the page.
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
