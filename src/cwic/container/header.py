"""The header of a file, 14 bytes for most pictures (docs/format.md, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cwic.container.fields import Choice, Number, Packed, Raw, Varint
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.errors import FormatError, NewerFormatError

MAGIC = b"\x89CW"
VERSION = 1
MAX_BYTES = 20
TILE_UNIT = 64
"""Tiles have this many pixels a side, times a power of two."""

MODEL_ID = Raw("model_id", 4)
LEVEL = Number("level", 0, 1000, bits=10)
MODE = Choice("mode", ("L", "RGB", "LA", "RGBA"), bits=2)
TILE_CODE = Number("tile_code", 0, 15, bits=4)
CODING = Packed("level, mode and tile_code", (LEVEL, MODE, TILE_CODE), size=2)
WIDTH = Varint("width", minimum=1)
HEIGHT = Varint("height", minimum=1)


def tile_code_of(side: int) -> int:
    """The code of tiles of `side` pixels a side. Raises `ValueError` unless it is 128, 256, 512 ... 2097152."""
    code = side.bit_length() - TILE_UNIT.bit_length()
    if not 1 <= code <= TILE_CODE.maximum or side != TILE_UNIT << code:
        raise ValueError(f"tiles have 128, 256, 512, 1024 ... pixels a side, not {side}")
    return code


@dataclass(frozen=True)
class Header:
    """model_id: the first bytes of the hash of the weights' entropy path; width, height: pixels;
    mode: L, RGB, LA or RGBA; level: quality in tenths, 0 to 1000; tile_code: 0 for one tile, n for tiles
    of 64 << n pixels a side.

    Raises ValueError for a value out of range: a Header that exists can be written.
    """

    model_id: bytes
    width: int
    height: int
    mode: str
    level: int
    tile_code: int = 0
    version: int = VERSION

    def __post_init__(self) -> None:
        Number("version", VERSION, VERSION).check(self.version)
        for field in (MODEL_ID, WIDTH, HEIGHT, MODE, LEVEL, TILE_CODE):
            field.check(getattr(self, field.name))

    @property
    def quality(self) -> float:
        """The quality as users see it, 0 to 100 in steps of 0.1."""
        return self.level / 10

    @property
    def tile_size(self) -> int | None:
        """Pixels a side of a tile, or None when the picture is one tile."""
        return TILE_UNIT << self.tile_code if self.tile_code else None

    @property
    def tile_grid(self) -> tuple[int, int]:
        """(columns, rows) of tiles."""
        if self.tile_size is None:
            return 1, 1
        return -(-self.width // self.tile_size), -(-self.height // self.tile_size)

    @property
    def has_alpha(self) -> bool:
        return self.mode.endswith("A")

    def pack(self) -> bytes:
        """The header's bytes, at most MAX_BYTES of them."""
        return (
            MAGIC
            + bytes([self.version])
            + MODEL_ID.pack(self.model_id)
            + CODING.pack((self.level, self.mode, self.tile_code))
            + WIDTH.pack(self.width)
            + HEIGHT.pack(self.height)
        )

    @classmethod
    def unpack(cls, data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Header, int]:
        """The header at the start of `data` and its size in bytes. MAX_BYTES of data are always enough.

        Raises FormatError if it is not a valid header, LimitError if the picture is over `limits`.
        """
        if data[:3] != MAGIC:
            raise FormatError("not a cwic file")
        if len(data) < 4:
            raise FormatError("the file is cut short inside 'version', at byte 3")
        if data[3] > VERSION:
            raise NewerFormatError(
                f"the file needs a newer cwic: it has format version {data[3]}, this one reads {VERSION}"
            )
        values: dict[str, Any] = {"version": data[3]}
        try:
            values["model_id"], position = MODEL_ID.unpack(data, 4)
            (values["level"], values["mode"], values["tile_code"]), position = CODING.unpack(data, position)
            values["width"], position = WIDTH.unpack(data, position)
            values["height"], position = HEIGHT.unpack(data, position)
            header = cls(**values)
        except ValueError as error:
            raise FormatError(f"the header is damaged: {error}") from error
        header.check(limits)
        return header, position

    def check(self, limits: Limits) -> None:
        """Raises LimitError if the picture is over `limits`."""
        limits.check("max_side", max(self.width, self.height))
        limits.check("max_pixels", self.width * self.height)
        side = self.tile_size or max(self.width, self.height)
        limits.check("max_tile_pixels", min(side, self.width) * min(side, self.height))
        columns, rows = self.tile_grid
        limits.check("max_tiles", columns * rows)

    def describe(self) -> str:
        """One line per field, for people."""
        fields = (MODEL_ID, WIDTH, HEIGHT, MODE, LEVEL, TILE_CODE)
        lines = [f"{'version':<10} {self.version}"]
        lines += [f"{field.name:<10} {field.show(getattr(self, field.name))}" for field in fields]
        return "\n".join(lines)

    def __str__(self) -> str:
        columns, rows = self.tile_grid
        return (
            f"cwic {self.version}, model {self.model_id.hex()}: {self.width}x{self.height} {self.mode}, "
            f"quality {self.quality:g}, {columns}x{rows} tile{'s' if columns * rows > 1 else ''}"
        )
