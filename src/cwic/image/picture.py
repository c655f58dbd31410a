"""The pictures that cwic codes: 8-bit RGB or greyscale, with or without alpha.

Others are converted without loss, or refused.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.errors import InputError
from cwic.image.guard import errors_as_ours
from cwic.image.metadata import Metadata
from cwic.image.refusals import refuse_unsupported


class Picture(NamedTuple):
    """A picture ready to be coded.

    Attributes:
        pixels: uint8, `[H, W, 3]` for mode RGB or `[H, W]` for mode L.
        mode: of the pixels: `"RGB"` or `"L"`.
        alpha: uint8 `[H, W]`, 0 transparent to 255 opaque; None if there is none.
    """

    pixels: NDArray[np.uint8]
    mode: str
    alpha: NDArray[np.uint8] | None = None

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """The pixels `[H, W, 3]`: greyscale as three equal channels."""
        return self.pixels if self.mode == "RGB" else np.repeat(self.pixels[..., None], 3, axis=2)

    @property
    def full_mode(self) -> str:
        """As Pillow and the header name it: `"RGB"`, `"L"`, `"RGBA"` or `"LA"`."""
        return self.mode if self.alpha is None else self.mode + "A"


def as_picture(image: Image.Image | NDArray[np.uint8]) -> Picture:
    """Validate a picture.

    Args:
        image: a Pillow image of mode RGB, RGBA, L, LA, P, PA or 1 (the last three are converted), or a uint8 array
            `[H, W, 3]` (RGB), `[H, W, 4]` (RGBA), `[H, W]` (L) or `[H, W, 2]` (LA).

    Raises:
        InputError: any other kind of picture; the message says what to do. Also for a file that Pillow opened
            but cannot read to its end.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if isinstance(image, Image.Image):
        return _from_pillow(image)
    raise InputError(f"expected a Pillow image or a numpy array, not {type(image).__name__}")


def to_pillow(picture: Picture, metadata: Metadata | None = None) -> Image.Image:
    """The picture as a Pillow image of its full mode, with metadata in its `info`."""
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    if metadata:
        image.info.update(metadata.info)
    return image


def _from_pillow(image: Image.Image) -> Picture:
    refuse_unsupported(image)
    mode = {"P": "RGB", "PA": "RGB", "1": "L"}.get(image.mode, image.mode).removesuffix("A")
    if image.has_transparency_data:
        mode += "A"
    with errors_as_ours("picture is damaged"):
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return _split(pixels, mode)


def _from_array(pixels: NDArray[np.uint8]) -> Picture:
    if pixels.dtype != np.uint8:
        raise InputError(f"array holds {pixels.dtype}: scale it to 0..255 and convert it to uint8 first")
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in _MODES or pixels.shape[2:] == (1,):
        raise InputError(
            f"array has shape {list(pixels.shape)}: expected [H, W, 3] (RGB), [H, W] (greyscale), "
            "or [H, W, 4] or [H, W, 2] with alpha last"
        )
    return _split(pixels, _MODES[channels])


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _split(pixels: NDArray[np.uint8], mode: str) -> Picture:
    """Colour and alpha apart, as views of `pixels`."""
    if pixels.size == 0:
        raise InputError("picture has no pixels")
    if mode == "LA":
        return Picture(pixels[..., 0], "L", pixels[..., 1])
    if mode == "RGBA":
        return Picture(pixels[..., :3], "RGB", pixels[..., 3])
    return Picture(pixels, mode)
