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
    quality: float | None = None,
    model: str = catalog.DEFAULT,
    device: str = "cpu",
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """The picture as the bytes of a `.cwic` file.

    Args:
        image: a Pillow image of mode RGB, L, P or 1, or a uint8 array `[H, W, 3]` or `[H, W]`.
        quality: 0 (smallest) to 100 (best), in steps of 0.1, 50 if left out; the rate-distortion trade-off `lmbda` of
            the loss `lmbda * 255**2 * MSE + bpp` is `0.0009 * 200**(quality / 100)`. A model of one rate takes none.
        model: a name that `cwic models list` shows, or the path of a weight file.
        device: where the networks run, as torch names it. It does not change what the file decodes to.
        limits: the largest picture to accept.

    Raises:
        ValueError: `quality` is out of range, or given to a model of one rate.
        InputError: a kind of picture that cwic does not code; the message says what to do.
        LimitError: the picture is larger than `limits`.
        ModelError: an unknown model, or its weights are missing or malformed.
    """
    level = level_of(quality, model)
    picture = as_picture(image)
    header = Header(catalog.id_of(model), picture.width, picture.height, picture.mode, level)
    header.check(limits)
    x = pad(to_tensor(picture)).to(device)
    coded = catalog.open_model(model, device).encode(x, level)
    return write_container(header, [Chunk(TILE, pack_tile(coded.crc, coded.data))])


def decode(
    data: bytes, *, model: str | None = None, device: str = "cpu", limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """The picture in the bytes of a `.cwic` file, as a Pillow image of mode RGB or L.

    `model` is needed for a file whose model is neither in the package nor in a folder that the environment variable
    CWIC_MODELS lists: the path of its weight file.

    Raises:
        FormatError: not a cwic file, a damaged one, or one that needs a newer version.
        LimitError: the file asks for more than `limits`; raised before memory is taken.
        ModelError: the model that the file was written with is not here, or is not `model`.
    """
    header, chunks = read_container(data, limits)
    refuse_unsupported(header)
    opened = catalog.open_model(model_of(header, model), device)
    crc, coded = unpack_tile(chunks[-1].payload)
    sides = padded_side(header.height), padded_side(header.width)
    decoded = opened.decode_latents(coded, crc, *sides, header.level)
    x_hat = crop(opened.synthesise(decoded, header.level), header.height, header.width)
    return to_pillow(to_picture(x_hat, header.mode))


def level_of(quality: float | None, model: str) -> int:
    """The level, 0..1000, that a file of `model` stores for a quality. Raises as `encode` does."""
    if not catalog.describe(model).config.variable_rate:
        if quality is not None:
            raise ValueError(f"{model} has one rate: leave the quality out")
        return 0
    quality = DEFAULT_QUALITY if quality is None else quality
    if not 0 <= quality <= 100:
        raise ValueError(f"quality must be between 0 and 100, not {quality}")
    return round(quality * 10)


def model_of(header: Header, given: str | None) -> str:
    """The model that decodes a file, as `catalog.open_model` takes it. Raises `ModelError` if it is not here."""
    wanted = header.model_id
    name = given or catalog.name_of(wanted)
    if name is None:
        raise ModelError(
            f"the file was written with model {wanted.hex()}, which is not here: name its weight file, or update cwic"
        )
    if catalog.id_of(name) != wanted:
        raise ModelError(
            f"the file was written with model {wanted.hex()}, not with {name} ({catalog.id_of(name).hex()})"
        )
    return name


def refuse_unsupported(header: Header) -> None:
    """Raises `FormatError` for what the format allows and this version does not decode."""
    if header.tile_code or header.mode not in ("RGB", "L"):
        raise FormatError(f"{header.mode} with tile code {header.tile_code} needs a newer version of cwic")
