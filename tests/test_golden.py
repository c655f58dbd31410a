"""The golden file of cwic-s, made once on one machine, decodes here to the very same latents."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
from PIL import Image

import cwic
from cwic.container import read_container

GOLDEN = Path(__file__).parent / "golden"


def test_the_golden_file_decodes_to_its_latents_and_pixels() -> None:
    data = (GOLDEN / "cwic_s.cwic").read_bytes()
    latents_hash = runpy.run_path(str(GOLDEN / "make_cwic_s.py"))["latents_hash"]
    recorded = json.loads((GOLDEN / "cwic_s.json").read_text())
    assert latents_hash(read_container(data)) == recorded["latents"]
    with Image.open(GOLDEN / "cwic_s.png") as image:
        expected = np.asarray(image, np.int16)
    assert np.abs(np.asarray(cwic.decode(data), np.int16) - expected).max() <= 1
