from __future__ import annotations

from pathlib import Path

import pytest

from cwic.errors import InputError, OutputExistsError
from cwic.models import catalog
from cwic.view.site import page_files, write_site


def test_the_page_is_small_enough_to_be_shipped() -> None:
    files = page_files()
    assert {"index.html", "cwic.js", "worker.js", "cwic.wasm", "decoder.js", "LICENSES.txt"} < files.keys()
    assert sum(file.stat().st_size for file in files.values()) < 4e6
    assert files["cwic.wasm"].stat().st_size < 60_000


def test_a_folder_for_a_server(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    written = write_site(folder, ["cwic-s"])
    id = catalog.id_of("cwic-s").hex()
    assert {file.name for file in written} == {*page_files(), f"{id}.safetensors", f"{id}-analysis.safetensors"}
    assert all(file.is_file() for file in written)
    with pytest.raises(OutputExistsError):
        write_site(folder, ["cwic-s"])
    write_site(folder, ["cwic-s"], force=True)


def test_models_that_are_not_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot decode nobody"):
        write_site(tmp_path, ["nobody"])
