"""The interface that a codec of the bench implements."""

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
        """Return whether the codec has this quality."""
        return (
            isinstance(quality, (int, float))
            and self.low <= quality <= self.high
            and round(quality, self.decimals) == quality
        )

    @property
    def steps(self) -> int:
        """The number of steps between the lowest and the highest quality."""
        return round((self.high - self.low) * 10**self.decimals)

    def at(self, step: int) -> float:
        """Return the quality that lies `step` steps above the lowest."""
        return round(self.low + step / 10**self.decimals, self.decimals)


class Codec(Protocol):
    """A codec of the bench: encodes pixels to the bytes of a file, and decodes them."""

    @property
    def name(self) -> str:
        """The name of the codec on the command line and in the files of results."""

    @property
    def description(self) -> str:
        """Settings and versions, for people. Results with another description are results of another codec."""

    @property
    def scale(self) -> Scale:
        """The range of qualities. A higher quality costs more bytes."""

    @property
    def qualities(self) -> tuple[float, ...]:
        """The qualities to measure by default: a curve from about 0.1 to 2.5 bpp for photographs."""

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        """Encode to a whole file. Pixels are uint8 `[H, W, 3]` (RGB) or `[H, W]` (greyscale). Raises CwicError."""

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Decode a file to uint8 `[H, W, 3]`, always RGB. Raises CwicError."""


def unreadable(codec: str, error: Exception) -> InputError:
    """Return the error to raise when a library refuses the bytes that it has just made."""
    return InputError(f"{codec} cannot read what it wrote: {error}")


def unwritable(codec: str, error: Exception) -> InputError:
    """Return the error to raise when a library refuses a picture."""
    return InputError(f"{codec} cannot write this picture: {error}")
