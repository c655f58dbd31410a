"""Find the place of each tile in a file with gaps: the checksum of a tile's symbols begins with its number."""

from __future__ import annotations

from collections.abc import Callable

from cwic.container.chunks import TILE, Chunk, unpack_tile
from cwic.container.salvage import Run, Salvage
from cwic.errors import FormatError
from cwic.models.base import CodingModel
from cwic.tiling.decode import LOST
from cwic.tiling.grid import Tiles


def placed_tiles(model: CodingModel, found: Salvage) -> Callable[[int], Chunk]:
    """Gives a tile by its number, intact or cut short, or raises `FormatError` if it is lost."""
    tiles = Tiles.of(found.header)
    intact: dict[int, Chunk] = {}
    for run in found.runs:
        first = _place(model, found, tiles, run)
        intact |= {first + k: tile for k, tile in enumerate(run.tiles) if tile is not None}
    if not intact:
        raise FormatError("nothing can be recovered: no tile is intact")

    def tile(index: int) -> Chunk:
        if index not in intact:
            raise FormatError(LOST)
        return intact[index]

    return tile


def _place(model: CodingModel, found: Salvage, tiles: Tiles, run: Run) -> int:
    """The number of the first tile of a run: the first at which one of its tiles decodes to what was written.

    Plain tiles do not know their number.
    """
    sure = [(k, tile) for k, tile in enumerate(run.tiles) if tile and tile.type == TILE and not tile.is_cut]
    if run.first == run.last_first or not sure:
        return run.first
    known, tile = sure[0]
    crc, coded = unpack_tile(tile.payload)
    for first in range(run.first, run.last_first + 1):
        box = tiles.box(first + known)
        try:
            model.decompress(coded, crc, box.height, box.width, found.header.level, first + known)
        except FormatError:
            continue
        return first
    return run.first
