from __future__ import annotations

import re
import threading
from collections.abc import Callable

import numpy as np
import pytest

from cwic.container import PLAIN, Chunk, Header, unpack_tile
from cwic.errors import FormatError
from cwic.image.arrays import to_floats, to_picture
from cwic.image.picture import Picture
from cwic.models.base import Halo
from cwic.models.cwic import CwicModel
from cwic.tiling import decode as decode_module
from cwic.tiling.decode import GREY, TileDecoder
from cwic.tiling.encode import TileEncoder
from cwic.tiling.grid import Box, Tiles
from cwic.tiling.lossless_tile import encode_plain

LEVEL = 600
HEADER = Header(b"fake", 700, 500, "RGB", LEVEL, tile_code=1)


@pytest.fixture(scope="module")
def chunks(model: CwicModel, picture: Picture) -> list[Chunk]:
    return TileEncoder(model, picture, Tiles.of(HEADER)).encode(LEVEL)


@pytest.fixture(scope="module")
def whole(model: CwicModel, chunks: list[Chunk]) -> np.ndarray:
    """The picture that one synthesis of all latents gives."""
    tiles = Tiles.of(HEADER)
    latents = np.zeros((32, 44, 16), np.int64)
    for index, chunk in enumerate(chunks):
        box = tiles.box(index)
        rows, columns = box.in_latents().rows_and_columns
        crc, coded = unpack_tile(chunk.payload)
        latents[rows, columns] = model.decompress(coded, crc, box.height, box.width, LEVEL, index)
    return to_picture(model.synthesise(latents, LEVEL)[:, :, :500, :700]).pixels


def level_difference(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


def test_tiles_join_without_a_seam(model: CwicModel, chunks: list[Chunk], whole: np.ndarray) -> None:
    found = TileDecoder(model, HEADER, chunks.__getitem__).decode(Box(0, 0, 500, 700), jobs=3)
    assert level_difference(found.pixels, whole) <= 1


def test_less_than_the_halo_would_show(
    model: CwicModel, chunks: list[Chunk], whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions, grid = model.synthesis_halo
    monkeypatch.setattr(CwicModel, "synthesis_halo", Halo(positions // 4, grid))
    area = Box(0, 0, 256, 256)
    found = TileDecoder(model, HEADER, chunks.__getitem__).decode(area)
    assert level_difference(found.pixels, whole[area.rows_and_columns]) > 1


@pytest.mark.parametrize(
    "area", [Box(0, 0, 1, 1), Box(130, 250, 131, 520), Box(255, 1, 400, 129), Box(499, 699, 500, 700)]
)
def test_an_area_is_decoded_from_the_tiles_that_it_needs(
    model: CwicModel, chunks: list[Chunk], whole: np.ndarray, area: Box
) -> None:
    asked: list[int] = []

    def tile(index: int) -> Chunk:
        asked.append(index)
        return chunks[index]

    found = TileDecoder(model, HEADER, tile).decode(area)
    rows, columns = area.rows_and_columns
    assert level_difference(found.pixels, whole[rows, columns]) <= 1
    tiles = Tiles.of(HEADER)
    assert sorted(asked) == sorted(set(asked))
    assert set(asked) <= set(tiles.meeting(tiles.around(area, model.synthesis_halo)))


def test_a_large_tile_is_synthesised_in_blocks(
    model: CwicModel, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = Header(b"fake", 700, 500, "RGB", LEVEL)
    (chunk,) = TileEncoder(model, picture, Tiles.of(header)).encode(LEVEL)
    area = Box(0, 0, 500, 700)
    once = TileDecoder(model, header, lambda _: chunk).decode(area)
    monkeypatch.setattr(decode_module, "BLOCK", 256)
    blocks = TileDecoder(model, header, lambda _: chunk).decode(area)
    assert level_difference(blocks.pixels, once.pixels) <= 1


def damaged(chunks: list[Chunk], *lost: int) -> Callable[[int], Chunk]:
    # Two words: the last one may be zero, which is what a coder reads beyond the end.
    return lambda index: Chunk("T", chunks[index].payload[:-8]) if index in lost else chunks[index]


def test_damage_ends_the_work_by_name(model: CwicModel, chunks: list[Chunk]) -> None:
    with pytest.raises(FormatError, match=r"^damaged: tile \(column 1, row 2\): "):
        TileDecoder(model, HEADER, damaged(chunks, 13)).decode(Box(0, 0, 500, 700))


def test_a_tolerant_decoder_makes_lost_tiles_grey(model: CwicModel, chunks: list[Chunk], whole: np.ndarray) -> None:
    decoder = TileDecoder(model, HEADER, damaged(chunks, 0, 13, 23), tolerant=True)
    pixels = decoder.decode(Box(0, 0, 500, 700)).pixels
    assert [line.split(": ")[0] for line in decoder.lost] == [
        "tile (column 0, row 0), x 0 to 127, y 0 to 127",
        "tile (column 1, row 2), x 128 to 255, y 256 to 383",
        "tile (column 5, row 3), x 640 to 699, y 384 to 499",
    ]
    assert (pixels[256:384, 128:256] == GREY).all()
    assert level_difference(pixels[:128, 500:600], whole[:128, 500:600]) <= 1


def test_a_tile_that_is_cut_short_is_shown_from_what_is_there(
    model: CwicModel, chunks: list[Chunk], whole: np.ndarray
) -> None:
    last = len(chunks) - 1
    area = Box(384, 600, 500, 700)
    expected = whole[area.rows_and_columns]
    errors, reasons = [], []
    for part in (0.0, 0.5, 0.8, 1.1):
        payload = chunks[last].payload + b"more" * 99
        cut = Chunk("T", payload[: int(part * len(chunks[last].payload))], is_cut=True)
        decoder = TileDecoder(model, HEADER, [*chunks[:last], cut].__getitem__, tolerant=True)
        pixels = decoder.decode(area).pixels
        (line,) = decoder.lost
        place, reason = line.split(": ")
        assert place == "tile (column 5, row 3), x 640 to 699, y 384 to 499"
        reasons.append(reason)
        errors.append(np.square(pixels.astype(float) - expected).mean())
        assert not decoder.is_empty
    assert reasons[0] == "its bytes are damaged or missing"
    assert all(re.fullmatch(r"cut short; shown from [123] of 4 passes", reason) for reason in reasons[1:3])
    assert reasons[3] == "its end is damaged or missing; all of it is shown"
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1


def test_a_picture_without_a_tile_is_empty(model: CwicModel, chunks: list[Chunk]) -> None:
    decoder = TileDecoder(model, HEADER, damaged(chunks, *range(24)), tolerant=True)
    assert (decoder.decode(Box(0, 0, 500, 700)).pixels == GREY).all()
    assert decoder.is_empty


def test_a_grey_picture_has_one_channel(model: CwicModel, picture: Picture) -> None:
    header = Header(b"fake", 200, 100, "LA", LEVEL)
    grey = Picture(np.ascontiguousarray(picture.pixels[:100, :200, 0]), "L")
    (chunk,) = TileEncoder(model, grey, Tiles.of(header)).encode(LEVEL)
    found = TileDecoder(model, header, lambda _: chunk).decode(Box(0, 0, 100, 200))
    assert (found.mode, found.pixels.shape, found.alpha) == ("L", (100, 200), None)


def test_a_plain_tile_is_shown_as_it_is_and_known_to_its_neighbours(
    model: CwicModel, picture: Picture, chunks: list[Chunk], whole: np.ndarray
) -> None:
    shown = picture.pixels[256:384, 128:256]
    plain = [Chunk(PLAIN, encode_plain(shown, 0)) if index == 13 else chunk for index, chunk in enumerate(chunks)]
    pixels = TileDecoder(model, HEADER, plain.__getitem__).decode(Box(0, 0, 500, 700)).pixels
    np.testing.assert_array_equal(pixels[256:384, 128:256], shown)
    # The neighbours see latents that are not quite those of the tile: that is far less than none at all.
    lost = TileDecoder(model, HEADER, damaged(chunks, 13), tolerant=True).decode(Box(0, 0, 500, 700)).pixels
    around = (slice(240, 256), slice(128, 256))
    near, far = (np.abs(found[around].astype(int) - whole[around]).mean() for found in (pixels, lost))
    assert near < far / 2
    part = TileDecoder(model, HEADER, plain.__getitem__).decode(Box(250, 120, 300, 140)).pixels
    assert level_difference(part, pixels[250:300, 120:140]) <= 1


def test_a_plain_tile_has_the_latents_that_its_pixels_would_be_written_with(model: CwicModel, picture: Picture) -> None:
    shown = Picture(np.ascontiguousarray(picture.pixels[256:384, 128:256]), "RGB")
    decoder = TileDecoder(model, HEADER, lambda _: Chunk(PLAIN, encode_plain(shown.pixels, 0)))
    np.testing.assert_array_equal(decoder._decode_tile(13).y_hat, model.as_written(to_floats(shown), LEVEL))


def test_no_thread_waits_at_the_end_of_a_row(
    model: CwicModel, chunks: list[Chunk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CwicModel, "synthesis_halo", Halo(1, 1))
    next_row = threading.Event()
    most = 0
    synthesise = TileDecoder._synthesise

    def drawn(self: TileDecoder, block: Box, seen: Box, mode: str) -> np.ndarray:
        nonlocal most
        most = max(most, len(self._decoded))
        if block == Tiles.of(HEADER).box(5):  # the last of the first row, which needs two rows of tiles
            assert next_row.wait(10)
        return synthesise(self, block, seen, mode)

    def tile(index: int) -> Chunk:
        if index >= 12:  # a tile of the third row, which blocks of the second are the first to need
            next_row.set()
        return chunks[index]

    monkeypatch.setattr(TileDecoder, "_synthesise", drawn)
    TileDecoder(model, HEADER, tile).decode(Box(0, 0, 500, 700), jobs=2)
    assert most < 24  # the first tiles were forgotten before the last were decoded


def test_latents_that_nothing_needs_any_more_are_forgotten(model: CwicModel, chunks: list[Chunk]) -> None:
    decoder = TileDecoder(model, HEADER, chunks.__getitem__)
    decoder.decode(Box(0, 0, 500, 128))
    assert not [box for box, *_ in decoder._decoded.values() if box.bottom <= 128]
