"""Decode tiles to pixels: latents tile by tile, then synthesis of each tile with the latents around it.

Works through the picture by rows of tiles and keeps the latents of two rows, of a strip and of some tiles ahead: memory
does not grow with the height of the picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, groupby, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.container.chunks import PLAIN, Chunk, unpack_tile
from cwic.container.header import Header
from cwic.errors import FormatError
from cwic.image.arrays import means_of_squares, to_picture
from cwic.image.picture import Picture
from cwic.models.base import CodingModel
from cwic.progress import counted
from cwic.tiling.encode import region_of
from cwic.tiling.grid import LATENT, Box, Tiles
from cwic.tiling.lossless_tile import decode_plain
from cwic.tiling.parallel import Map, workers

GREY = 128
"""The fill of a lost tile."""
LOST = "its bytes are damaged or missing"
BLOCK = 1024
"""Largest side of a region that is synthesised at once, in pixels. It bounds memory for files of larger tiles."""


class Decoded(NamedTuple):
    """A decoded tile: latents `[h, w, M]`, and the pixels of a plain tile. A lost tile has neither."""

    box: Box
    y_hat: NDArray[np.int64] | None
    pixels: NDArray[np.uint8] | None = None


class TileDecoder:
    """Decode the tiles of one file. `tile(index)` gives a tile's chunk, or raises `FormatError`.

    Damage ends the work, or if `tolerant` makes the tile grey; `lost` says which those are. A tile that is cut short is
    shown from what is there of it. `is_empty` tells that no tile was shown.
    """

    def __init__(
        self,
        model: CodingModel,
        header: Header,
        tile: Callable[[int], Chunk],
        *,
        tolerant: bool = False,
    ) -> None:
        self._model, self._header = model, header
        self._tiles = Tiles.of(header)
        self._tile, self._tolerant = tile, tolerant
        self._decoded: dict[int, Decoded] = {}
        self._reasons: dict[int, str] = {}
        self.is_empty = True

    def decode(self, area: Box, jobs: int = 1, scale: int = 1) -> Picture:
        """Return the pixels of `area`, without alpha; up to `jobs` tiles are in work at a time.

        Decodes only the tiles that `area` needs. With a `scale` of `PREVIEW_SCALES`, it gives a small picture of the
        squares of so many pixels that `area` meets. Raises `FormatError` that names a damaged tile.
        """
        if scale > 1:
            return self._preview(area, jobs, scale)
        mode = self._header.mode.removesuffix("A")
        shape = (area.height, area.width, 3) if mode == "RGB" else (area.height, area.width)
        picture = Picture(np.full(shape, GREY, np.uint8), mode)

        def draw(block: Box) -> None:
            if self._is_intact(block):
                self.is_empty = False
                seen = block.within(area)
                rows, columns = seen.relative_to(area).rows_and_columns
                picture.pixels[rows, columns] = self._synthesise(block, seen, mode)

        by_rows = groupby(self._tiles.meeting(area), key=lambda index: index // self._tiles.columns)
        rows_of_blocks = [
            [block for index in row for block in _blocks(self._tiles.box(index), area)] for _, row in by_rows
        ]
        with workers(jobs) as each:
            for _ in counted(self._drawn(rows_of_blocks, draw, each, jobs), "blocks", sum(map(len, rows_of_blocks))):
                pass
        return picture

    def _drawn(self, rows: list[list[Box]], draw: Callable[[Box], None], each: Map, jobs: int) -> Iterator[Box]:
        """Decode the tiles that blocks need and `draw` the blocks, given by rows of tiles; yield each that is done.

        Tiles of the next `jobs` blocks are decoded while others are drawn, so that no thread waits at the end of a row.
        """
        asked = set(self._decoded)

        def fetch(block: Box) -> Iterator[tuple[int, Decoded]]:
            needed = [index for index in self._tiles.meeting(self._around(block)) if index not in asked]
            asked.update(needed)
            return zip(needed, each(self._decode_tile, needed), strict=True)

        ahead = chain.from_iterable(rows)
        fetched: deque[Iterator[tuple[int, Decoded]]] = deque()
        drawn: deque[tuple[Box, Iterator[None]]] = deque()
        ends = {row[-1] for row in rows}

        def finish() -> Box:
            block, work = drawn.popleft()
            for _ in work:
                pass
            if block in ends:
                self._trim(block.bottom)
            return block

        for block in chain.from_iterable(rows):
            fetched.extend(fetch(coming) for coming in islice(ahead, jobs + 1 - len(fetched)))
            self._decoded |= fetched.popleft()
            drawn.append((block, each(draw, (block,))))
            if len(drawn) > jobs:
                yield finish()
        while drawn:
            yield finish()

    def _preview(self, area: Box, jobs: int, scale: int) -> Picture:
        """Decode a small picture tile by tile: without synthesis no tile depends on another."""
        small = area.shrunk(scale)
        mode = self._header.mode.removesuffix("A")
        shape = (small.height, small.width, 3) if mode == "RGB" else (small.height, small.width)
        picture = Picture(np.full(shape, GREY, np.uint8), mode)

        def draw(index: int) -> None:
            box, y_hat, pixels = self._decode_tile(index, preview=True)
            if pixels is not None:
                drawn = means_of_squares(pixels, scale)
            elif y_hat is not None:
                drawn = to_picture(self._small(y_hat, scale), mode).pixels
            else:
                return
            its = box.shrunk(scale)
            seen = Box(its.top, its.left, its.top + drawn.shape[0], its.left + drawn.shape[1]).within(small)
            rows, columns = seen.relative_to(its).rows_and_columns
            to_rows, to_columns = seen.relative_to(small).rows_and_columns
            picture.pixels[to_rows, to_columns] = drawn[rows, columns]

        with workers(jobs) as each:
            for _ in each(draw, self._tiles.meeting(area)):
                pass
        return picture

    def _small(self, y_hat: NDArray[np.int64], scale: int) -> NDArray[np.float32]:
        if self._model.has_preview:
            return self._model.preview(y_hat, self._header.level, scale)
        x_hat = self._model.synthesise(y_hat, self._header.level)
        rows, columns = (side // scale for side in x_hat.shape[2:])
        return np.clip(x_hat, 0, 1).reshape(1, 3, rows, scale, columns, scale).mean(axis=(3, 5))

    @property
    def lost(self) -> list[str]:
        """The damaged and shortened tiles among those decoded, with their places and what is shown of them."""
        lines = []
        for index, reason in sorted(self._reasons.items()):
            row, column = divmod(index, self._tiles.columns)
            top, left, bottom, right = self._tiles.visible(index)
            place = f"x {left} to {right - 1}, y {top} to {bottom - 1}"
            lines.append(f"tile (column {column}, row {row}), {place}: {reason}")
        return lines

    def _decode_tile(self, index: int, *, preview: bool = False) -> Decoded:
        box = self._tiles.box(index)
        level = self._header.level
        try:
            chunk = self._tile(index)
            if chunk.type == PLAIN:
                return self._decode_plain(index, chunk.payload, alone=preview)
            if chunk.is_cut:
                return self._decode_cut(index, chunk.payload)
            crc, coded = unpack_tile(chunk.payload)
            return Decoded(box, self._model.decompress(coded, crc, box.height, box.width, level, index))
        except FormatError as error:
            if not self._tolerant:
                row, column = divmod(index, self._tiles.columns)
                raise FormatError(f"damaged: tile (column {column}, row {row}): {error}") from error
            self._reasons[index] = str(error)
            return Decoded(box, None)

    def _decode_cut(self, index: int, payload: bytes) -> Decoded:
        """Decode the available part of a tile that is cut short. Raises `FormatError` if that is not enough."""
        box = self._tiles.box(index)
        try:
            crc, coded = unpack_tile(payload)
            cut = self._model.decompress_cut(coded, crc, box.height, box.width, self._header.level, index)
        except FormatError as error:
            raise FormatError(LOST) from error
        if cut.passes == cut.of:
            self._reasons[index] = "its end is damaged or missing; all of it is shown"
        elif cut.passes:
            self._reasons[index] = f"cut short; shown from {cut.passes} of {cut.of} passes"
        else:
            self._reasons[index] = f"cut short; shown as a blur, before the first of {cut.of} passes ends"
        return Decoded(box, cut.y_hat)

    def _decode_plain(self, index: int, payload: bytes, *, alone: bool) -> Decoded:
        """Decode a plain tile. The synthesis of its neighbours needs latents, so they are made from its pixels."""
        box, visible = self._tiles.box(index), self._tiles.visible(index)
        mode = self._header.mode.removesuffix("A")
        pixels = decode_plain(payload, visible.height, visible.width, len(mode))
        if alone or len(self._tiles) == 1:
            return Decoded(box, None, pixels)
        x = region_of(Picture(pixels, mode), box.relative_to(box))
        return Decoded(box, self._model.as_written(x, self._header.level), pixels)

    def _is_intact(self, block: Box) -> bool:
        (index,) = self._tiles.meeting(block)
        _, y_hat, pixels = self._decoded[index]
        return y_hat is not None or pixels is not None

    def _synthesise(self, block: Box, seen: Box, mode: str) -> NDArray[np.uint8]:
        (index,) = self._tiles.meeting(block)
        box, _, pixels = self._decoded[index]
        if pixels is not None:
            rows, columns = seen.relative_to(box).rows_and_columns
            return pixels[rows, columns]
        region = self._around(block)
        x_hat = self._model.synthesise(self._gather(region), self._header.level)
        rows, columns = seen.relative_to(region).rows_and_columns
        return to_picture(x_hat[:, :, rows, columns], mode).pixels

    def _around(self, block: Box) -> Box:
        """Return the region whose latents the synthesis of `block` needs."""
        return self._tiles.around(block, self._model.synthesis_halo)

    def _gather(self, region: Box) -> NDArray[np.int64]:
        """Return the latents of a region; zeros where a tile is lost."""
        parts = [self._decoded[index] for index in self._tiles.meeting(region)]
        if parts[0].box == region and parts[0].y_hat is not None:
            return parts[0].y_hat
        known = [(box, y_hat) for box, y_hat, _ in parts if y_hat is not None]
        whole = region.in_latents()
        gathered = np.zeros((whole.height, whole.width, known[0][1].shape[-1]), np.int64)
        for box, y_hat in known:
            common = box.within(region)
            rows, columns = common.relative_to(region).in_latents().rows_and_columns
            its_rows, its_columns = common.relative_to(box).in_latents().rows_and_columns
            gathered[rows, columns] = y_hat[its_rows, its_columns]
        return gathered

    def _trim(self, bottom: int) -> None:
        """Forget the latents that no block from row `bottom` on needs."""
        top = self._around(Box(bottom, 0, bottom + 1, 1)).top
        self._decoded = {index: tile for index, tile in self._decoded.items() if tile.box.bottom > top}
        for index, (box, y_hat, _) in self._decoded.items():
            cut = box.within(Box(top, box.left, max(top, box.bottom), box.right))
            if y_hat is not None and cut != box:
                rows, _ = cut.relative_to(box).in_latents().rows_and_columns
                self._decoded[index] = Decoded(cut, y_hat[rows].copy())


def _blocks(tile: Box, area: Box) -> list[Box]:
    """Return the boxes of a tile to synthesise for `area`: whole positions of y, at most BLOCK pixels a side."""
    top, left = (side // LATENT * LATENT for side in tile.within(area)[:2])
    bottom, right = (-(-side // LATENT) * LATENT for side in tile.within(area)[2:])
    return [
        Box(row, column, min(row + BLOCK, bottom), min(column + BLOCK, right)).within(tile)
        for row in range(top, bottom, BLOCK)
        for column in range(left, right, BLOCK)
    ]
