"""The codecs that are measured: cwic's models, and its peers through Pillow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL import __version__ as pillow_version

import cwic
from cwic.errors import InputError
from cwic.models import catalog


class Codec(Protocol):
    """What measuring asks of a codec: pixels to the bytes of a file and back."""

    @property
    def name(self) -> str:
        """As the command line and the files of results call it."""

    @property
    def description(self) -> str:
        """Settings and versions, for people."""

    @property
    def decimals(self) -> int:
        """Decimals that a quality, 0-100, may have."""

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        """A whole file, header included, of uint8 `[H, W, 3]` (RGB) or `[H, W]` (greyscale). Raises CwicError."""

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """The picture in a file: uint8 `[H, W, 3]`, RGB in every case. Raises CwicError."""


@dataclass(frozen=True)
class CwicCodec:
    """A model of the catalogue."""

    name: str
    decimals: int = 1

    @property
    def description(self) -> str:
        model_id = catalog.id_of(self.name).hex()
        return f"cwic {cwic.__version__}, model {self.name} ({model_id})"

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        return cwic.encode(Image.fromarray(pixels), quality=quality, model=self.name)

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        return np.asarray(cwic.decode(data).convert("RGB"))


@dataclass(frozen=True)
class PillowCodec:
    """A format that Pillow writes, with fixed options.

    `settings` describes the options; `library` is what Pillow calls the library that does the work.
    """

    name: str
    format: str
    library: str
    settings: str
    options: Mapping[str, Any] = field(default_factory=dict)
    decimals: int = 0

    @property
    def description(self) -> str:
        library = f"{self.library} {features.version(self.library) or '(version unknown)'}"
        return f"{self.format}, {self.settings}; Pillow {pillow_version}, {library}"

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        file = BytesIO()
        try:
            Image.fromarray(pixels).save(file, self.format, quality=int(quality), **self.options)
        except (OSError, ValueError) as error:
            raise InputError(f"Pillow cannot write this picture: {error}") from error
        return file.getvalue()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        try:
            return np.asarray(Image.open(BytesIO(data), formats=[self.format]).convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"Pillow cannot read what it wrote: {error}") from error


PEERS = {
    codec.name: codec
    for codec in (
        PillowCodec("jpeg", "JPEG", "libjpeg_turbo", "4:2:0, default tables", {"subsampling": "4:2:0"}),
        PillowCodec("jpeg-444", "JPEG", "libjpeg_turbo", "4:4:4, default tables", {"subsampling": "4:4:4"}),
        PillowCodec("webp", "WEBP", "webp", "lossy, method 4", {"method": 4}),
        PillowCodec("avif", "AVIF", "avif", "4:2:0, speed 6, default tuning", {"subsampling": "4:2:0", "speed": 6}),
        # The default tuning is for the eye; this one shows what the format can do in PSNR.
        PillowCodec(
            "avif-psnr",
            "AVIF",
            "avif",
            "4:4:4, speed 6, tune=psnr",
            {"subsampling": "4:4:4", "speed": 6, "advanced": {"tune": "psnr"}},
        ),
    )
}


def open_codec(name: str) -> Codec:
    """The codec of that name, ready to work.

    Raises:
        InputError: no codec has that name, or this Pillow is built without its format.
        ModelError: the weights of the model are missing or malformed.
    """
    if name in catalog.CATALOG:
        catalog.id_of(name)
        return CwicCodec(name)
    if name not in PEERS:
        raise InputError(f"unknown codec {name!r}; there are: {', '.join([*catalog.CATALOG, *PEERS])}")
    Image.init()
    if PEERS[name].format not in Image.SAVE:
        raise InputError(f"this Pillow is built without {PEERS[name].format}")
    return PEERS[name]
