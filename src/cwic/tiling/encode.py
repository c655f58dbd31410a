"""Encode pixels to tiles: analyse each tile with the pixels around it, then code its latents alone."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cwic.container.chunks import TILE, Chunk, pack_tile
from cwic.image.arrays import to_floats
from cwic.image.geometry import pad_to
from cwic.image.picture import Picture
from cwic.latents.symbols import CodedLatents
from cwic.models.base import CodingModel
from cwic.models.refine import DEFAULT_EFFORT, Goal, compress
from cwic.progress import counted
from cwic.stages import stage
from cwic.tiling.astray import AHEAD, CHECKED_LEVELS, astray
from cwic.tiling.grid import Box, Tiles
from cwic.tiling.lossless_tile import lossless_if_better
from cwic.tiling.parallel import workers

CACHE_BYTES = 1 << 28
"""Bytes to keep between two levels. With cwic-s one tile of a picture takes up to 25 MB, one of 1024 pixels 19 MB."""
MARGIN = 32
"""Pixels at the border of a tile that are made with the latents of its neighbours."""

Floats = NDArray[np.float32]


class TileEncoder:
    """Encode the tiles of one picture, at one level or at several.

    With `cache_analysis`, the part of the analysis that is the same for all levels is kept, of as many tiles as fit in
    `CACHE_BYTES`.
    """

    def __init__(self, model: CodingModel, picture: Picture, tiles: Tiles, *, cache_analysis: bool = False) -> None:
        self._model, self._picture, self._tiles = model, picture, tiles
        self._prepared: dict[int, Floats] = {}
        self._cache_left = CACHE_BYTES if cache_analysis else 0
        self._filling_cache = Lock()

    def encode(self, level: int, jobs: int = 1, effort: int = DEFAULT_EFFORT) -> list[Chunk]:
        """Return the chunks of all tiles, in raster order; up to `jobs` are in work at a time."""

        def code(index: int) -> Chunk:
            with stage("analysis"):
                y = self.analyse(index, level)  # pixels -> latents, by the float networks
            with stage("coding"):
                # latents -> symbols -> bytes, by the integer ones
                coded = self._compressed(y, level, index, effort)
                if self._model.data.config.variable_rate and level <= CHECKED_LEVELS:
                    coded = self._kept_from_going_astray(coded, y, level, index, effort)
                rows, columns = self._tiles.visible(index).rows_and_columns
                lossless = lossless_if_better(self._model, self._picture.pixels[rows, columns], coded, level)
            return lossless or Chunk(TILE, pack_tile(coded.crc, coded.data))

        with workers(jobs) as each:
            return list(counted(each(code, range(len(self._tiles))), "tiles", len(self._tiles)))

    def analyse(self, index: int, level: int) -> Floats:
        """y `[1, M, h, w]` of one tile, as the analysis of the whole picture would give it there."""
        box = self._tiles.box(index)
        region = self._tiles.around(box, self._model.analysis_halo)
        y = self._model.finish_analysis(self._prepare(index, region), level)
        rows, columns = box.relative_to(region).in_latents().rows_and_columns
        return np.ascontiguousarray(y[:, :, rows, columns])

    def _kept_from_going_astray(
        self, coded: CodedLatents, y: Floats, level: int, index: int, effort: int
    ) -> CodedLatents:
        """Return the coded latents `y` of a tile, or others where the decoder would lose its way with these."""
        there = astray(self._model.synthesise(coded.y_hat, level))
        if not there.any():
            return coded
        return self._compressed(np.where(there, self.analyse(index, level + AHEAD), y), level, index, effort)

    def _compressed(self, y: Floats, level: int, index: int, effort: int) -> CodedLatents:
        return compress(self._model, y, lambda: self._goal(index), level, index, effort)

    def _goal(self, index: int) -> Goal:
        """Return the pixels that the latents of a tile should give, without those that depend on other tiles."""
        box = self._tiles.box(index)
        inner = Box(*(side + MARGIN * shift for side, shift in zip(box, self._cuts(box), strict=True)))
        rows, columns = inner.within(self._tiles.picture).relative_to(box).rows_and_columns
        return Goal(region_of(self._picture, box), rows, columns)

    def _cuts(self, box: Box) -> tuple[int, int, int, int]:
        """Return for each side of a tile 1 or -1, inwards, if another tile is there, and 0 at the picture's border."""
        end = self._tiles.padded
        return int(box.top > 0), int(box.left > 0), -int(box.bottom < end.bottom), -int(box.right < end.right)

    def _prepare(self, index: int, region: Box) -> Floats:
        """Return the part of a tile's analysis, surroundings included, that is the same for all levels."""
        if index in self._prepared:
            return self._prepared[index]
        prepared = self._model.prepare_analysis(region_of(self._picture, region))
        with self._filling_cache:
            if prepared.nbytes <= self._cache_left:
                self._cache_left -= prepared.nbytes
                self._prepared[index] = prepared
        return prepared


def region_of(picture: Picture, region: Box) -> Floats:
    """`x` `[1, 3, H, W]` of a region of the padded picture: beyond the picture its last column and row go on."""
    rows, columns = region.within(Box(0, 0, picture.height, picture.width)).rows_and_columns
    x = to_floats(Picture(np.ascontiguousarray(picture.pixels[rows, columns]), picture.mode))
    return pad_to(x, region.height, region.width)
