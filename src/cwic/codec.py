"""The map: a picture to a file and back, one stage a line.

Encoding reads down the source tree, decoding up: image -> transforms -> latents -> entropy -> container.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cwic.container.chunks import TILE, Chunk, pack_tile, read_container, unpack_tile, write_container
from cwic.container.header import Header
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.errors import FormatError, ModelError
from cwic.image.geometry import crop, pad, padded_side
from cwic.image.picture import as_picture, to_pillow
from cwic.image.tensors import to_picture, to_tensor
from cwic.models import catalog

DEFAULT_QUALITY = 50.0


def encode(
    image: Image.Image | np.ndarray,
    *,
    quality: float = DEFAULT_QUALITY,
    model: str = catalog.DEFAULT,
    device: str = "cpu",
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """The picture as the bytes of a `.cwic` file.

    Args:
        image: a Pillow image of mode RGB, L, P or 1, or a uint8 array `[H, W, 3]` or `[H, W]`.
        quality: 0 (smallest) to 100 (best), in steps of 0.1; the rate-distortion trade-off `lmbda` of the loss
            `lmbda * 255**2 * MSE + bpp` is `0.0009 * 200**(quality / 100)`.
        model: a name from the catalogue (`cwic models list`).
        device: where the networks run, as torch names it. It does not change what the file decodes to.
        limits: the largest picture to accept.

    Raises:
        ValueError: `quality` is out of range.
        InputError: a kind of picture that cwic does not code; the message says what to do.
        LimitError: the picture is larger than `limits`.
        ModelError: an unknown model, or its weights are missing or malformed.
    """
    level = level_of(quality)
    picture = as_picture(image)
    header = Header(catalog.id_of(model), picture.width, picture.height, picture.mode, level)
    header.check(limits)
    x = pad(to_tensor(picture)).to(device)
    coded = catalog.open_model(model, device).encode(x, level)
    return write_container(header, [Chunk(TILE, pack_tile(coded.crc, coded.data))])


def decode(data: bytes, *, device: str = "cpu", limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """The picture in the bytes of a `.cwic` file, as a Pillow image of mode RGB or L.

    Raises:
        FormatError: not a cwic file, a damaged one, or one that needs a newer version.
        LimitError: the file asks for more than `limits`; raised before memory is taken.
        ModelError: the model that the file was written with is not here.
    """
    header, chunks = read_container(data, limits)
    refuse_unsupported(header)
    name = catalog.name_of(header.model_id)
    if name is None:
        raise ModelError(f"the file was written with model {header.model_id.hex()}, which is not here: update cwic")
    model = catalog.open_model(name, device)
    crc, coded = unpack_tile(chunks[-1].payload)
    sides = padded_side(header.height), padded_side(header.width)
    decoded = model.decode_latents(coded, crc, *sides, header.level)
    x_hat = crop(model.synthesise(decoded, header.level), header.height, header.width)
    return to_pillow(to_picture(x_hat, header.mode))


def level_of(quality: float) -> int:
    """The level, 0..1000, that a file stores for a quality. Raises `ValueError` outside 0-100."""
    if not 0 <= quality <= 100:
        raise ValueError(f"quality must be between 0 and 100, not {quality}")
    return round(quality * 10)


def refuse_unsupported(header: Header) -> None:
    """Raises `FormatError` for what the format allows and this version does not decode."""
    if header.tile_code or header.mode not in ("RGB", "L"):
        raise FormatError(f"{header.mode} with tile code {header.tile_code} needs a newer version of cwic")
