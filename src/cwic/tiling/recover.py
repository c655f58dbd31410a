"""Which tile is which, where a file has gaps: a tile's symbols have a checksum that begins with its number."""

from __future__ import annotations

from collections.abc import Callable

from cwic.container.chunks import unpack_tile
from cwic.container.salvage import Run, Salvage
from cwic.errors import FormatError
from cwic.image.tiles import Tiles
from cwic.models.exported import ExportedModel


def placed_tiles(model: ExportedModel, found: Salvage) -> Callable[[int], bytes]:
    """Gives the payload of a tile by its number, or raises `FormatError` if it is lost."""
    tiles = Tiles.of(found.header)
    payloads: dict[int, bytes] = {}
    for run in found.runs:
        first = _place(model, found, tiles, run)
        payloads |= {first + k: payload for k, payload in enumerate(run.tiles) if payload is not None}
    if not payloads:
        raise FormatError("nothing can be recovered: no tile is intact")

    def payload(index: int) -> bytes:
        if index not in payloads:
            raise FormatError("its bytes are damaged or missing")
        return payloads[index]

    return payload


def _place(model: ExportedModel, found: Salvage, tiles: Tiles, run: Run) -> int:
    """The number of the first tile of a run: the first at which one of its tiles decodes to what was written."""
    known = next((k for k, payload in enumerate(run.tiles) if payload is not None), None)
    if run.first == run.last_first or known is None:
        return run.first
    payload = run.tiles[known]
    assert payload is not None
    crc, coded = unpack_tile(payload)
    for first in range(run.first, run.last_first + 1):
        box = tiles.box(first + known)
        try:
            model.decode_latents(coded, crc, box.height, box.width, found.header.level, first + known)
        except FormatError:
            continue
        return first
    return run.first
