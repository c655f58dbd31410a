"""JPEG XL through imagecodecs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cwic.evaluation.codecs.codec import Scale, unreadable, unwritable
from cwic.extras import require

# Those of the library's own (JpegxlError is a RuntimeError) and of its checks of arguments.
_FAILURES = (RuntimeError, ValueError, TypeError)


@dataclass(frozen=True)
class JpegxlCodec:
    """Lossy JPEG XL (VarDCT in XYB) on one thread; the quality becomes a distance as in libjxl's own `cjxl -q`."""

    name: str
    effort: int
    qualities: tuple[float, ...]
    scale: Scale = field(default=Scale(0, 99))  # 100 is lossless

    @property
    def description(self) -> str:
        package = require("imagecodecs", "eval")
        library = package.jpegxl_version()
        return f"JPEG XL, VarDCT, effort {self.effort}, 1 thread; imagecodecs {package.__version__}, {library}"

    def ready(self) -> None:
        """Raises InputError: imagecodecs is not installed."""
        require("imagecodecs", "eval")

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        package = require("imagecodecs", "eval")
        try:
            return bytes(package.jpegxl_encode(pixels, level=int(quality), effort=self.effort, numthreads=1))
        except _FAILURES as error:
            raise unwritable("libjxl", error) from error

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        package = require("imagecodecs", "eval")
        try:
            pixels: NDArray[np.uint8] = package.jpegxl_decode(data, numthreads=1)
        except _FAILURES as error:
            raise unreadable("libjxl", error) from error
        # Greyscale comes back as one plane.
        return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
