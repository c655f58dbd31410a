from __future__ import annotations

import pytest

from cwic.container import PLAIN, Chunk, Header
from cwic.container.salvage import Run, Salvage
from cwic.errors import FormatError
from cwic.image.picture import Picture
from cwic.models.cwic import CwicModel
from cwic.tiling.encode import TileEncoder
from cwic.tiling.grid import Tiles
from cwic.tiling.placement import placed_tiles

LEVEL = 300
HEADER = Header(b"fake", 700, 500, "RGB", LEVEL, tile_code=1)  # 6 x 4 tiles


@pytest.fixture(scope="module")
def chunks(model: CwicModel, picture: Picture) -> list[Chunk]:
    return TileEncoder(model, picture, Tiles.of(HEADER)).encode(LEVEL)


@pytest.mark.parametrize(("first", "last_first"), [(4, 21), (6, 21), (4, 6)])
def test_a_run_between_two_gaps_finds_its_place(
    model: CwicModel, chunks: list[Chunk], first: int, last_first: int
) -> None:
    runs = [
        Run(0, 0, chunks[:3]),
        Run(first, last_first, [None, Chunk(PLAIN, b"plain"), *chunks[8:10]]),
        Run(20, 20, chunks[20:]),
    ]
    tile = placed_tiles(model, Salvage(HEADER, [], runs, []))
    for index in (0, 2, 8, 9, 20, 23):
        assert tile(index) == chunks[index]
    assert tile(7).type == PLAIN
    for index in (3, 6, 10, 19):
        with pytest.raises(FormatError, match="damaged or missing"):
            tile(index)


def test_nothing_to_place(model: CwicModel) -> None:
    with pytest.raises(FormatError, match="no tile is intact"):
        placed_tiles(model, Salvage(HEADER, [], [Run(0, 0, [None])], []))


def test_a_tile_that_is_cut_short_has_its_place_behind_the_others(model: CwicModel, chunks: list[Chunk]) -> None:
    cut = chunks[10]._replace(payload=chunks[10].payload[:-9], is_cut=True)
    runs = [Run(0, 0, chunks[:3]), Run(4, 20, [*chunks[8:10], cut])]
    tile = placed_tiles(model, Salvage(HEADER, [], runs, []))
    assert [tile(index) for index in (8, 9, 10)] == [*chunks[8:10], cut]
    assert placed_tiles(model, Salvage(HEADER, [], [Run(0, 0, [cut])], []))(0) == cut
