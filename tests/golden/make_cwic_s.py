"""Makes the golden file of cwic-s: `python tests/golden/make_cwic_s.py`, whenever its weights or the format change.

A golden file is decoded wherever the tests run: what one machine wrote, every other has to read to the same latents.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from PIL import Image

import cwic
from cwic.container import Container, read_container, unpack_tile
from cwic.image.geometry import padded_side

GOLDEN = Path(__file__).parent
PHOTOGRAPH = GOLDEN.parents[1] / "examples" / "chelsea.png"


def latents_hash(container: Container) -> str:
    """SHA-256 of a file's decoded latents, as little-endian int64."""
    header, chunks = container
    crc, coded = unpack_tile(chunks[-1].payload)
    sides = padded_side(header.height), padded_side(header.width)
    latents = cwic.open_model("cwic-s").decode_latents(coded, crc, *sides, header.level)
    return hashlib.sha256(latents.numpy().astype("<i8").tobytes()).hexdigest()


def main() -> None:
    """Writes `cwic_s.cwic` and what it must decode to."""
    with Image.open(PHOTOGRAPH) as image:
        data = cwic.encode(image, quality=40, model="cwic-s")
    (GOLDEN / "cwic_s.cwic").write_bytes(data)
    cwic.decode(data).save(GOLDEN / "cwic_s.png")
    (GOLDEN / "cwic_s.json").write_text(json.dumps({"latents": latents_hash(read_container(data))}) + "\n")


if __name__ == "__main__":
    main()
