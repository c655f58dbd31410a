"""The pictures that cwic codes: 8-bit RGB or greyscale, with or without alpha.

Other pictures are converted without loss, or refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.errors import InputError
from cwic.image.guard import errors_as_ours
from cwic.image.metadata import Metadata
from cwic.image.refusals import refuse_unsupported
from cwic.image.source import remember_file


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


def as_picture(image: Any) -> Picture:
    """Validate a picture.

    Args:
        image: a Pillow image of mode RGB, RGBA, L, LA, P, PA or 1 (the last three are converted), or a uint8 array
            `[H, W, 3]` (RGB), `[H, W, 4]` (RGBA), `[H, W]` or `[H, W, 1]` (L) or `[H, W, 2]` (LA), with any strides; or
            what numpy takes for such an array; or a uint8 tensor of torch, `[3, H, W]` and so on, channels first.

    Raises:
        InputError: any other kind of picture; the message says what to do. Also for a file that Pillow opened
            but cannot read to its end.
    """
    if isinstance(image, Image.Image):
        return _from_pillow(image)
    if _is_tensor(image):
        return _from_tensor(image)
    if is_array(image):
        return _from_array(np.asarray(image))
    raise InputError(f"expected a Pillow image or a uint8 array, not {type(image).__name__}")


def is_array(image: Any) -> bool:
    """Return whether numpy takes the object for an array, as it takes those of other packages, tensors among them."""
    return _is_tensor(image) or any(hasattr(image, name) for name in ("__array__", "__array_interface__"))


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
    _check_transparency(image)
    remember_file(image)
    with errors_as_ours("picture is damaged", image):
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return _split(pixels, mode)


def _check_transparency(image: Image.Image) -> None:
    """Pillow keeps it in `info`, where programs may leave that of another picture."""
    given = image.info.get("transparency", 0)
    wanted = {"P": (int, bytes), "L": (int,), "1": (int,), "RGB": (int, tuple)}.get(image.mode)
    if wanted is not None and not isinstance(given, wanted):
        kind = type(given).__name__
        raise InputError(
            f'info["transparency"] is of type {kind}, which does not fit mode {image.mode}: delete it first'
        )


def _from_array(pixels: NDArray[Any]) -> Picture:
    if pixels.dtype != np.uint8:
        advice = "multiply it by 255" if pixels.dtype == np.bool_ else "scale it to 0..255"
        raise InputError(f"array holds {pixels.dtype}: {advice} and convert it to uint8 first")
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in _MODES:
        advice = ""
        if pixels.ndim == 3 and pixels.shape[0] in _MODES:
            advice = ": this one has its channels first, and np.moveaxis(pixels, 0, -1) puts them last"
        elif pixels.ndim == 4:
            advice = ": pictures are coded one by one"
        raise InputError(
            f"array has shape {list(pixels.shape)}: expected [H, W, 3] (RGB), [H, W] or [H, W, 1] (greyscale), "
            f"or [H, W, 4] or [H, W, 2] with alpha last{advice}"
        )
    return _split(pixels[..., 0] if pixels.ndim == 3 and channels == 1 else pixels, _MODES[channels])


def _is_tensor(image: Any) -> bool:
    """Return whether the object is a torch tensor or of a subclass, by name, since cwic does not import torch."""
    return any(kind.__name__ == "Tensor" and kind.__module__.split(".")[0] == "torch" for kind in type(image).__mro__)


def _from_tensor(tensor: Any) -> Picture:
    shape = list(tensor.shape)
    if str(tensor.dtype) != "torch.uint8":
        raise InputError(f"tensor holds {tensor.dtype}: scale it to 0..255 and convert it to torch.uint8 first")
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in _MODES):
        advice = ": pictures are coded one by one" if len(shape) == 4 else ""
        if len(shape) == 3 and shape[2] in _MODES:
            advice = ": this one has its channels last, and tensor.permute(2, 0, 1) puts them first"
        raise InputError(
            f"tensor has shape {shape}: expected [3, H, W] (RGB), [H, W] or [1, H, W] (greyscale), or [4, H, W] or "
            f"[2, H, W] with alpha last{advice}"
        )
    try:
        pixels = tensor.detach().cpu().numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise InputError(f"tensor has no samples to read: {error}") from error
    return _from_array(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1))


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
