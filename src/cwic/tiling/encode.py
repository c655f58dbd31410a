"""Pixels to coded tiles: analysis of a tile with the pixels around it, then its latents alone."""

from __future__ import annotations

from threading import Lock

import numpy as np
from torch import Tensor

from cwic.container.chunks import TILE, Chunk, pack_tile
from cwic.image.geometry import pad_to
from cwic.image.picture import Picture
from cwic.image.tensors import to_tensor
from cwic.image.tiles import Box, Tiles
from cwic.models.families import CodingModel
from cwic.tiling.plain import plain_if_better
from cwic.tiling.workers import workers

KEPT = 1 << 28
"""Bytes to keep between two levels. Of cwic-s a picture in one tile takes up to 25 MB, a tile of 1024 pixels 19 MB."""


class TileEncoder:
    """Encodes the tiles of one picture, at one level or, `again` and again, at several.

    If `again`, the part of the analysis that is the same for all levels is kept, of as many tiles as fit in `KEPT`.
    """

    def __init__(self, model: CodingModel, picture: Picture, tiles: Tiles, *, again: bool = False) -> None:
        self._model, self._picture, self._tiles = model, picture, tiles
        self._prepared: dict[int, Tensor] = {}
        self._room = KEPT if again else 0
        self._taking_room = Lock()

    def encode(self, level: int, jobs: int = 1) -> list[Chunk]:
        """The chunks of all tiles, in raster order; up to `jobs` are in work at a time."""

        def code(index: int) -> Chunk:
            coded = self._model.encode_latents(self.analyse(index, level), level, index)
            rows, columns = self._tiles.visible(index).rows_and_columns
            plain = plain_if_better(self._model, self._picture.pixels[rows, columns], coded, level)
            return plain or Chunk(TILE, pack_tile(coded.crc, coded.data))

        with workers(jobs) as each:
            return list(each(code, range(len(self._tiles))))

    def analyse(self, index: int, level: int) -> Tensor:
        """y `[1, M, h, w]` of one tile, as the analysis of the whole picture would give it there."""
        box = self._tiles.box(index)
        region = self._tiles.around(box, self._model.analysis_halo)
        y = self._model.finish_analysis(self._prepare(index, region), level)
        rows, columns = box.relative_to(region).in_latents().rows_and_columns
        return y[:, :, rows, columns].contiguous()

    def _prepare(self, index: int, region: Box) -> Tensor:
        """What the analysis of a tile and its surroundings begins with, whatever the level."""
        if index in self._prepared:
            return self._prepared[index]
        prepared = self._model.prepare_analysis(region_tensor(self._picture, region).to(self._model.device))
        with self._taking_room:
            if prepared.nbytes <= self._room:
                self._room -= prepared.nbytes
                self._prepared[index] = prepared
        return prepared


def region_tensor(picture: Picture, region: Box) -> Tensor:
    """`x` `[1, 3, H, W]` of a region of the padded picture: beyond the picture its last column and row go on."""
    rows, columns = region.within(Box(0, 0, picture.height, picture.width)).rows_and_columns
    x = to_tensor(Picture(np.ascontiguousarray(picture.pixels[rows, columns]), picture.mode))
    return pad_to(x, region.height, region.width)
