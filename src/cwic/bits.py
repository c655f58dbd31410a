"""Count the bits of a file by part: z, each pass over y, alpha, metadata and the container."""

from __future__ import annotations

from collections import defaultdict
from os import PathLike, fspath

import numpy as np
from numpy.typing import NDArray

from cwic.codec import model_of
from cwic.config import CwicConfig
from cwic.container.chunks import ALPHA, PLAIN, TILE, unpack_tile
from cwic.container.index import read_container
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.models import catalog
from cwic.models.base import CodingModel
from cwic.tiling.grid import Box, Tiles

_OTHER_PARTS = {PLAIN: "plain tiles", ALPHA: "alpha"}
_ORDER = ("z", "pass 1", "pass 2", "pass 3", "pass 4", "y", "plain tiles", "alpha", "metadata")


def bits_by_part(
    data: bytes, *, model: str | PathLike[str] | None = None, limits: Limits = DEFAULT_LIMITS
) -> dict[str, int]:
    """The bits of each part of a file; together they are those of the file.

    Symbols count with their information content under the tables of the model, to which the range coder adds at most
    two words a tile. These, the header, and the types, lengths and checksums of all chunks are the `container`.

    Args:
        data: the file.
        model, limits: those of `cwic.decode`, whose errors are raised.

    Returns:
        `z`; `pass 1` to `pass 4`, or `y` of a model that does not visit y in four passes; `plain tiles`, `alpha` and
        `metadata` where there are any; `container`.
    """
    header, chunks = read_container(data, limits)
    network = catalog.open_model(model_of(header, None if model is None else fspath(model)))
    four_passes = isinstance(network.data.config, CwicConfig)
    tiles = Tiles.of(header)
    first_tile = len(chunks) - len(tiles)
    bits: defaultdict[str, float] = defaultdict(float)
    for number, chunk in enumerate(chunks):
        if chunk.type == TILE:
            box = tiles.box(number - first_tile)
            z, *y = _bits_by_call(network, chunk.payload, box, header.level, number - first_tile)
            bits["z"] += z
            for index, of_pass in enumerate(y, 1):
                bits[f"pass {index}" if four_passes else "y"] += of_pass
        else:
            bits[_OTHER_PARTS.get(chunk.type, "metadata")] += 8 * len(chunk.payload)
    whole = {part: round(bits[part]) for part in _ORDER if part in bits}
    return {**whole, "container": 8 * len(data) - sum(whole.values())}


def _bits_by_call(network: CodingModel, payload: bytes, box: Box, level: int, tile: int) -> list[float]:
    """The information content of what each call of the entropy coder coded of a tile."""
    bits: list[float] = []

    def seen(symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None:
        bits.append(network.data.tables.bits(symbols, indexes))

    crc, coded = unpack_tile(payload)
    network.decompress(coded, crc, box.height, box.width, level, tile, seen)
    return bits
