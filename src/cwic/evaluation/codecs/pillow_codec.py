"""Formats that Pillow writes, by itself or through pillow-heif."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL import __version__ as pillow_version

from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Scale, unreadable, unwritable
from cwic.extras import require

Options = Callable[[NDArray[np.uint8], float], Mapping[str, Any]]
_FAILURES = (OSError, SyntaxError, ValueError, RuntimeError)


def _quality_alone(pixels: NDArray[np.uint8], quality: float) -> Mapping[str, Any]:
    return {"quality": int(quality)}


@dataclass(frozen=True)
class PillowCodec:
    """A format of Pillow with fixed options.

    `settings` describes the options; `library` is what Pillow calls the library that does the work. `vary` gives
    the options that depend on the picture and the quality.
    """

    name: str
    format: str
    library: str
    settings: str
    qualities: tuple[float, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    vary: Options = _quality_alone
    scale: Scale = field(default=Scale())

    @property
    def description(self) -> str:
        library = f"{self.library} {features.version(self.library) or '(version unknown)'}"
        return f"{self.format}, {self.settings}; Pillow {pillow_version}, {library}"

    def ready(self) -> None:
        """Raises InputError: this Pillow is built without the format."""
        Image.init()
        if self.format not in Image.SAVE:
            raise InputError(f"this Pillow is built without {self.format}")

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        file = BytesIO()
        try:
            Image.fromarray(pixels).save(file, self.format, **self.vary(pixels, quality), **self.options)
        except _FAILURES as error:
            raise unwritable("Pillow", error) from error
        return file.getvalue()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        try:
            return np.asarray(Image.open(BytesIO(data), formats=[self.format]).convert("RGB"))
        except _FAILURES as error:
            raise unreadable("Pillow", error) from error


@dataclass(frozen=True)
class HeifCodec(PillowCodec):
    """HEIC through Pillow with pillow-heif."""

    @property
    def description(self) -> str:
        heif = require("pillow_heif", "eval")
        versions = heif.libheif_info()
        encoder = versions["encoders"].get("x265", "no encoder")
        return (
            f"HEIC, {self.settings}; pillow-heif {heif.__version__}, libheif {versions['libheif']}, {encoder}, "
            f"{', '.join(versions['decoders'].values())}"
        )

    def ready(self) -> None:
        """Raises InputError: pillow-heif is not installed."""
        require("pillow_heif", "eval").register_heif_opener()
        super().ready()


def jpeg2000_rate(pixels: NDArray[np.uint8], quality: float) -> Mapping[str, Any]:
    """Options for a file of `quality` 25ths of a bit per pixel: one layer, cut off at that compression ratio."""
    colour = pixels.ndim == 3
    bits_per_pixel = 24 if colour else 8
    # Without a colour transform for greyscale: OpenJPEG refuses one.
    return {"quality_layers": [25 * bits_per_pixel / quality], "mct": int(colour)}
