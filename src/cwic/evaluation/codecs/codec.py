"""What measuring asks of a codec."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cwic.errors import InputError


class Scale(NamedTuple):
    """The qualities that a codec has: from `low` to `high`, in steps of `10**-decimals`."""

    low: float = 0
    high: float = 100
    decimals: int = 0

    def __contains__(self, quality: object) -> bool:
        """Whether the codec has this quality."""
        return (
            isinstance(quality, (int, float))
            and self.low <= quality <= self.high
            and round(quality, self.decimals) == quality
        )

    @property
    def steps(self) -> int:
        """How many steps lie between the lowest and the highest quality."""
        return round((self.high - self.low) * 10**self.decimals)

    def at(self, step: int) -> float:
        """The quality that many steps above the lowest."""
        return round(self.low + step / 10**self.decimals, self.decimals)


class Codec(Protocol):
    """Pixels to the bytes of a file and back."""

    @property
    def name(self) -> str:
        """As the command line and the files of results call it."""

    @property
    def description(self) -> str:
        """Settings and versions, for people. Results under another description are results of another codec."""

    @property
    def scale(self) -> Scale:
        """The qualities there are; more quality costs more bytes."""

    @property
    def qualities(self) -> tuple[float, ...]:
        """Those to measure where nobody asks for others: a curve from about 0.1 to 2.5 bpp for photographs."""

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        """A whole file, header included, of uint8 `[H, W, 3]` (RGB) or `[H, W]` (greyscale). Raises CwicError."""

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """The picture in a file: uint8 `[H, W, 3]`, RGB in every case. Raises CwicError."""


def unreadable(codec: str, error: Exception) -> InputError:
    """What to raise when a library refuses the bytes that it has just made."""
    return InputError(f"{codec} cannot read what it wrote: {error}")


def unwritable(codec: str, error: Exception) -> InputError:
    """What to raise when a library refuses a picture."""
    return InputError(f"{codec} cannot write this picture: {error}")
