"""The geometry of tiles (docs/format.md, section 2) and of the regions that the transforms need around them."""

from __future__ import annotations

from typing import NamedTuple

from cwic.container.header import TILE_UNIT, Header
from cwic.errors import InputError
from cwic.image.geometry import padded_side
from cwic.models.base import Halo

LATENT = 16
"""Pixels per position of the latent y."""
ONE_TILE_PIXELS = 1 << 21
"""Pictures of up to this many pixels are coded as one tile."""
TILE_CODE = 4
"""Larger pictures are coded in tiles of 64 << 4 = 1024 pixels a side: measured, see docs/tiles.md."""

ROBUST_TILES = 6
"""Pictures that are to outlast damage have at least so many tiles, if those can be so small: see docs/tiles.md."""


class Box(NamedTuple):
    """A rectangle of pixels: rows `top` to `bottom` and columns `left` to `right`, the ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.right - self.left

    @property
    def rows_and_columns(self) -> tuple[slice, slice]:
        """The box as an index of an array `[H, W, ...]`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, other: Box) -> Box:
        """Return the part of this box inside `other`; empty (height or width not positive) if they do not meet."""
        return Box(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def relative_to(self, other: Box) -> Box:
        """Return this box relative to the top left of `other`."""
        return Box(self.top - other.top, self.left - other.left, self.bottom - other.top, self.right - other.left)

    def shrunk(self, scale: int) -> Box:
        """Return the squares of `scale` pixels that the box meets, counted in squares."""
        return Box(self.top // scale, self.left // scale, -(-self.bottom // scale), -(-self.right // scale))

    def aligned(self, side: int) -> Box:
        """Return the smallest box of whole squares of `side` pixels around this box."""
        return Box(*(side * edge for edge in self.shrunk(side)))

    def in_latents(self) -> Box:
        """Return the same rectangle in positions of y; its sides must be multiples of LATENT."""
        return Box(*(side // LATENT for side in self))


class Tiles:
    """The tiles of a picture, numbered in raster order. All boxes are of the padded picture unless they say other."""

    def __init__(self, width: int, height: int, side: int | None) -> None:
        """Cut a picture of `width` and `height` into tiles of `side` pixels a side or, if that is None, one tile."""
        self.picture = Box(0, 0, height, width)
        self.padded = Box(0, 0, padded_side(height), padded_side(width))
        self.side = side or max(self.padded.height, self.padded.width)
        self.columns = -(-width // self.side)
        self.rows = -(-height // self.side)

    @classmethod
    def of(cls, header: Header) -> Tiles:
        """Make the tiles that a header describes."""
        return cls(header.width, header.height, header.tile_size)

    def __len__(self) -> int:
        return self.columns * self.rows

    def box(self, index: int) -> Box:
        """Return the box of a tile with its padding: both sides are multiples of 64."""
        row, column = divmod(index, self.columns)
        top, left = row * self.side, column * self.side
        return Box(top, left, top + self.side, left + self.side).within(self.padded)

    def visible(self, index: int) -> Box:
        """Return the part of a tile that is in the picture."""
        return self.box(index).within(self.picture)

    def meeting(self, box: Box) -> list[int]:
        """Return the tiles that have pixels of `box`, in raster order. `box` must not be empty."""
        rows = range(box.top // self.side, -(-box.bottom // self.side))
        columns = range(box.left // self.side, -(-box.right // self.side))
        return [row * self.columns + column for row in rows for column in columns]

    def around(self, box: Box, halo: Halo) -> Box:
        """The region that a transform with that halo needs for `box`: larger by it on every side, and on its grid.

        At the borders of the picture the region ends where the picture does.
        """
        margin, grid = halo.positions * LATENT, halo.grid * LATENT
        top, left = ((side - margin) // grid * grid for side in (box.top, box.left))
        bottom, right = (-(-(side + margin) // grid) * grid for side in (box.bottom, box.right))
        return Box(top, left, bottom, right).within(self.padded)


def crop_box(width: int, height: int, crop: tuple[int, int, int, int] | None) -> Box:
    """The part of a picture of `width` and `height` that `crop` (left, top, width, height) names; None for all of it.

    Raises `InputError` if it is not inside the picture, or empty.
    """
    if crop is None:
        return Box(0, 0, height, width)
    left, top, columns, rows = crop
    box = Box(top, left, top + rows, left + columns)
    if rows < 1 or columns < 1 or box.within(Box(0, 0, height, width)) != box:
        raise InputError(f"{columns}x{rows} pixels at {left},{top} are not inside the picture of {width}x{height}")
    return box


def default_tile_code(width: int, height: int) -> int:
    """Return the default tile code for a picture of that size."""
    return 0 if width * height <= ONE_TILE_PIXELS else TILE_CODE


def robust_tile_code(width: int, height: int) -> int:
    """Return the code of the largest usual tiles of which a picture has the area of `ROBUST_TILES`; or that of 128."""
    codes = range(TILE_CODE, 1, -1)
    return next((code for code in codes if ROBUST_TILES * (TILE_UNIT << code) ** 2 <= width * height), 1)
