"""Pixels to coded tiles: analysis of a tile with the pixels around it, then its latents alone."""

from __future__ import annotations

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


def encode_tiles(model: CodingModel, picture: Picture, tiles: Tiles, level: int, jobs: int = 1) -> list[Chunk]:
    """The chunks of all tiles, in raster order; up to `jobs` are in work at a time."""

    def code(index: int) -> Chunk:
        coded = model.encode_latents(analyse_tile(model, picture, tiles, index, level), level, index)
        rows, columns = tiles.visible(index).rows_and_columns
        plain = plain_if_better(model, picture.pixels[rows, columns], coded, level)
        return plain or Chunk(TILE, pack_tile(coded.crc, coded.data))

    with workers(jobs) as each:
        return list(each(code, range(len(tiles))))


def analyse_tile(model: CodingModel, picture: Picture, tiles: Tiles, index: int, level: int) -> Tensor:
    """y `[1, M, h, w]` of one tile, as the analysis of the whole picture would give it there."""
    box = tiles.box(index)
    region = tiles.around(box, model.halo)
    y = model.analyse(region_tensor(picture, region).to(model.device), level)
    rows, columns = box.relative_to(region).in_latents().rows_and_columns
    return y[:, :, rows, columns].contiguous()


def region_tensor(picture: Picture, region: Box) -> Tensor:
    """`x` `[1, 3, H, W]` of a region of the padded picture: beyond the picture its last column and row go on."""
    rows, columns = region.within(Box(0, 0, picture.height, picture.width)).rows_and_columns
    x = to_tensor(Picture(np.ascontiguousarray(picture.pixels[rows, columns]), picture.mode))
    return pad_to(x, region.height, region.width)
