"""Makes golden files: `python tests/golden/make_cwic.py NAME ...`, for new weights or a new format.

A golden file is decoded wherever the tests run: what one machine wrote, every other has to read to the same latents.
One that is there is never made again: new weights of a model get a file with the next number, and the old one stays.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import cwic
from cwic.container import read_container

GOLDEN = Path(__file__).parent
ROOT = GOLDEN.parents[1]
PHOTOGRAPH = ROOT / "examples" / "chelsea.png"


def golden_files(photograph: Image.Image) -> dict[str, bytes]:
    """By name: one tile of each model; and tiles with alpha and metadata, one of them plain."""
    pixels = np.array(photograph.convert("RGB"))[100:300, 100:330]
    pixels[128:, 128:] = np.random.default_rng(0).integers(0, 2, (72, 102, 1), np.uint8) * 255
    tiled = Image.fromarray(pixels)
    tiled.putalpha(Image.linear_gradient("L").resize(tiled.size))
    squares = photograph.crop((0, 40, 192, 168))
    metadata = cwic.Metadata(b"profile", b"MM\0*\0\0\0\x08\0\0", b"<x/>")
    return {
        "cwic_s": cwic.encode(photograph, quality=40, model="cwic-s-1", strip=True),
        "cwic_s_2": cwic.encode(photograph.crop((80, 70, 272, 198)), quality=55, model="cwic-s", strip=True),
        "cwic_m": cwic.encode(photograph.crop((100, 60, 292, 188)), quality=60, model="cwic-m-1", strip=True),
        "cwic_m_2": cwic.encode(photograph.crop((40, 80, 232, 208)), quality=50, model="cwic-m", strip=True),
        "cwic_s_eye_2": cwic.encode(photograph.crop((60, 40, 252, 168)), quality=70, model="cwic-s-eye", strip=True),
        "cwic_m_eye_2": cwic.encode(photograph.crop((130, 90, 322, 218)), quality=60, model="cwic-m-eye", strip=True),
        "cwic_s_ms_ssim": cwic.encode(squares, quality=30, model="cwic-s-ms-ssim-1", strip=True),
        "cwic_s_ms_ssim_2": cwic.encode(squares, quality=70, model="cwic-s-ms-ssim", strip=True),
        "cwic_s_tiled": cwic.encode(tiled, quality=60, model="cwic-s-1", tile=128, metadata=metadata),
    }


def main() -> None:
    """Writes the files and what they must decode to."""
    latents_hash = runpy.run_path(str(ROOT / "benchmarks" / "machines.py"))["latents_hash"]
    with Image.open(PHOTOGRAPH) as photograph:
        files = golden_files(photograph)
    for name in sys.argv[1:] or files:
        data = files[name]
        (GOLDEN / f"{name}.cwic").write_bytes(data)
        cwic.decode(data).save(GOLDEN / f"{name}.png")
        (GOLDEN / f"{name}.json").write_text(json.dumps({"latents": latents_hash(read_container(data))}) + "\n")


if __name__ == "__main__":
    main()
