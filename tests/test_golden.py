"""The golden files of the models, made once on one machine, decode here to the very same latents."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import read_container
from cwic.models import catalog

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(file.stem for file in GOLDEN.glob("*.cwic")))
def test_the_golden_file_decodes_to_its_latents_and_pixels(name: str) -> None:
    data = (GOLDEN / f"{name}.cwic").read_bytes()
    latents_hash = runpy.run_path(str(GOLDEN.parents[1] / "benchmarks" / "machines.py"))["latents_hash"]
    recorded = json.loads((GOLDEN / f"{name}.json").read_text())
    assert latents_hash(read_container(data)) == recorded["latents"]
    with Image.open(GOLDEN / f"{name}.png") as image:
        expected = np.asarray(image, np.int16)
    assert np.abs(np.asarray(cwic.decode(data), np.int16) - expected).max() <= 1


def test_every_model_in_the_package_has_a_golden_file() -> None:
    ids = {read_container(file.read_bytes()).header.model_id for file in GOLDEN.glob("*.cwic")}
    untested = {name for name in (*catalog.shipped(), *catalog.EARLIER) if catalog.id_of(name) not in ids}
    assert untested == set()


def test_the_golden_files_hold_every_kind_of_chunk() -> None:
    chunks = read_container((GOLDEN / "cwic_s_tiled.cwic").read_bytes()).chunks
    assert [chunk.type for chunk in chunks] == [*"iexA", *"TTTP"]
