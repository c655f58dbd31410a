"""Limits on what a file may ask for, checked before memory is taken (docs/format.md, section 3.4)."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields

from cwic.arguments import whole_number
from cwic.errors import LimitError


@dataclass(frozen=True)
class Limits:
    """Upper bounds that are checked before memory is taken. To trust a file with more, pass larger ones.

    max_side            pixels of the longer side
    max_pixels          width * height; twice the size at which Pillow begins to warn
    max_tile_pixels     the same of one tile: decoding takes about 60 bytes of memory for each
    max_tiles           tiles of the grid
    max_chunks          chunks other than tiles
    max_chunk_bytes     payload of one chunk
    max_metadata_bytes  payloads of all ancillary chunks together
    """

    max_side: int = 1 << 20
    max_pixels: int = 2 * 89_478_485
    max_tile_pixels: int = 1 << 24
    max_tiles: int = 1 << 16
    max_chunks: int = 1 << 10
    max_chunk_bytes: int = 1 << 30
    max_metadata_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for field in fields(self):
            whole_number(field.name, getattr(self, field.name))

    def check(self, name: str, value: int) -> None:
        """Raise LimitError if `value` is over the limit called `name`."""
        limit = getattr(self, name)
        if value > limit:
            advice = f"trusted files: --no-limits, or Limits({name}={value})"
            raise LimitError(f"{value} is over the limit {name} = {limit}; {advice}")


DEFAULT_LIMITS = Limits()
NO_LIMITS = Limits(*[sys.maxsize] * len(fields(Limits)))
