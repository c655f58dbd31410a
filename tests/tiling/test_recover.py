from __future__ import annotations

import pytest

from cwic.container import Header
from cwic.container.salvage import Run, Salvage
from cwic.errors import FormatError
from cwic.image.picture import Picture
from cwic.image.tiles import Tiles
from cwic.models.exported import ExportedModel
from cwic.tiling.encode import encode_tiles
from cwic.tiling.recover import placed_tiles

LEVEL = 300
HEADER = Header(b"fake", 700, 500, "RGB", LEVEL, tile_code=1)  # 6 x 4 tiles


@pytest.fixture(scope="module")
def payloads(model: ExportedModel, picture: Picture) -> list[bytes]:
    return [chunk.payload for chunk in encode_tiles(model, picture, Tiles.of(HEADER), LEVEL)]


def test_a_run_between_two_gaps_finds_its_place(model: ExportedModel, payloads: list[bytes]) -> None:
    runs = [
        Run(0, 0, payloads[:3]),
        Run(4, 21, [None, *payloads[8:10]]),
        Run(20, 20, payloads[20:]),
    ]
    payload = placed_tiles(model, Salvage(HEADER, [], runs, []))
    for index in (0, 2, 8, 9, 20, 23):
        assert payload(index) == payloads[index]
    for index in (3, 7, 10, 19):
        with pytest.raises(FormatError, match="damaged or missing"):
            payload(index)


def test_nothing_to_place(model: ExportedModel) -> None:
    with pytest.raises(FormatError, match="no tile is intact"):
        placed_tiles(model, Salvage(HEADER, [], [Run(0, 0, [None])], []))
