"""Writes the corpus: small hostile files, each of another kind. `python tests/fuzz/make_corpus.py`

Files that a fuzzer finds are added to the folder as they are, with a name that says what they do.
"""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import cwic
from cwic.container import ALPHA, TILE, Chunk, pack_tile, read_container, write_container
from cwic.container import chunks as chunks_module
from cwic.container.index import CRC_BYTES

CORPUS = Path(__file__).parent / "corpus"


def corpus() -> dict[str, bytes]:
    """By name."""
    pixels = np.linspace(0, 255, 70 * 200).astype(np.uint8).reshape(70, 200)
    one = cwic.encode(pixels)
    two = cwic.encode(pixels, tile=128)
    alpha = cwic.encode(Image.merge("LA", [Image.fromarray(pixels), Image.fromarray(pixels[::-1])]))
    middle = cwic.encode(pixels, model="cwic-m")
    header, (tile,) = read_container(one)
    middle_header, (middle_tile,) = read_container(middle)
    pair_header, pair = read_container(two)
    alpha_header, (plane, alpha_tile) = read_container(alpha)
    zeros = lzma.compress(
        bytes(50_000_000), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20}]
    )
    files = {
        "empty": b"",
        "magic": one[:3],
        "header-cut": one[:11],
        "header-only": header.pack(),
        "tile-cut": one[:-9],
        "tile-cut-in-z": one[:24],
        "tile-cut-and-damaged": one[:30] + bytes([one[30] ^ 9]) + one[31:-20],
        "tile-cut-and-other-level": replace(header, level=1000).pack() + one[len(header.pack()) : -9],
        "second-tile-cut": two[:-9],
        "trailing-byte": one + b"\0",
        "version-0": one[:3] + b"\0" + one[4:],
        "version-2": one[:3] + b"\2" + one[4:],
        "unknown-model": write_container(replace(header, model_id=b"none"), [tile]),
        "middle-tile-cut": middle[:-9],
        "middle-other-level": write_container(replace(middle_header, level=1000), [middle_tile]),
        "tile-of-the-middle-model": write_container(header, [middle_tile]),
        "claims-16-megapixels": write_container(replace(header, width=4000, height=4000), [tile]),
        "claims-16-megapixels-and-is-cut": write_container(replace(header, width=4000, height=4000), [tile])[:-9],
        "claims-a-gigapixel": _without_check(header, [tile], width=32_000, height=32_000),
        "claims-2-pow-31": _without_check(header, [tile], width=(1 << 31) - 1, height=(1 << 31) - 1),
        "claims-many-tiles": _without_check(pair_header, pair, width=20_000, height=1_000),
        "tiles-swapped": write_container(pair_header, pair[::-1]),
        "tile-missing": _without_check(pair_header, pair[:1]),
        "tile-empty": write_container(header, [Chunk(TILE, b"")]),
        "tile-of-no-words": write_container(header, [Chunk(TILE, pack_tile(0, b""))]),
        "tile-of-three-bytes": write_container(header, [Chunk(TILE, pack_tile(0, b"123"))]),
        "tile-of-ones": write_container(header, [Chunk(TILE, b"\xff" * 400)]),
        "tile-of-zeros": write_container(header, [Chunk(TILE, bytes(400))]),
        "other-level": write_container(replace(header, level=1000), [tile]),
        "alpha-bomb": write_container(alpha_header, [Chunk(ALPHA, b"\0" + zeros), alpha_tile]),
        "alpha-cut": write_container(alpha_header, [Chunk(ALPHA, plane.payload[:-9]), alpha_tile]),
        "alpha-unknown": write_container(alpha_header, [Chunk(ALPHA, b"\xff"), alpha_tile]),
        "exif-noise": write_container(header, [Chunk("e", b"MM\0*" + b"\xff" * 90), tile]),
        "two-profiles": _without_check(header, [Chunk("i", b""), Chunk("i", b""), tile]),
        "length-2-pow-31": one[:14] + b"T\xff\xff\xff\xff\x07" + one[16:],
        "length-long-form": one[:14] + b"T\x80\x80\x80\x80\x00" + one[16:],
        "many-chunks": write_container(header, [*[Chunk("q", b"")] * 2000, tile]),
    }
    chunks_module.CHUNK_NAMES["Q"] = "of the future"
    files["unknown-critical-chunk"] = write_container(header, [Chunk("Q", b""), tile])
    return files


def _without_check(header: object, chunks: list[Chunk], **changed: int) -> bytes:
    """A file that its own writer would refuse."""
    whole = replace(header, **changed)
    start = whole.pack()
    parts = [start]
    for chunk in chunks:
        body = chunk.type.encode() + chunks_module.LENGTH.pack(len(chunk.payload)) + chunk.payload
        parts += [body, chunks_module.crc32(body, chunks_module.crc32(start)).to_bytes(CRC_BYTES, "little")]
    return b"".join(parts)


if __name__ == "__main__":
    CORPUS.mkdir(exist_ok=True)
    for name, data in corpus().items():
        (CORPUS / f"{name}.cwic").write_bytes(data)
