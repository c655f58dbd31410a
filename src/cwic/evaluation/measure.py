"""Measure rate, distortion and time of a codec on a picture, as docs/test-conditions.md defines them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from time import perf_counter
from zlib import crc32

from cwic.errors import CwicError, InputError
from cwic.evaluation.codecs.codec import Codec
from cwic.evaluation.metrics import FURTHER, ms_ssim, psnr
from cwic.evaluation.rows import DECIMALS, Row
from cwic.image.picture import Picture


def settings_of(codec: Codec) -> str:
    """Eight hex digits for the codec's settings, versions and model: rows of others are not its own."""
    return f"{crc32(codec.description.encode()):08x}"


def fingerprint(picture: Picture) -> str:
    """Eight hex digits for the samples of a picture: another picture of the same name is another picture."""
    return f"{crc32(picture.pixels.tobytes()):08x}"


def measure_picture(
    codec: Codec, qualities: Sequence[float], image: str, picture: Picture, *, further: Collection[str] = ()
) -> list[Row]:
    """Code one picture at every quality, after one run at the first of them that is not timed.

    Args:
        codec: what codes.
        qualities: one row each.
        image: the name that the rows give to the picture.
        picture: what is coded.
        further: measures of `FURTHER` to take too.

    Raises CwicError, of the kind that the codec raised, when any of them fails.
    """
    rows = []
    quality = qualities[0]
    try:
        codec.decode(codec.encode(picture.pixels, quality))
        for quality in qualities:
            rows.append(_measure(codec, quality, image, picture, further=further))
    except CwicError as error:
        raise type(error)(f"{codec.name} at quality {quality:g}: {error}") from error
    return rows


def _measure(codec: Codec, quality: float, image: str, picture: Picture, *, further: Collection[str]) -> Row:
    start = perf_counter()
    data = codec.encode(picture.pixels, quality)
    encoded = perf_counter()
    x_hat = codec.decode(data)
    decoded = perf_counter()

    x = picture.rgb
    if x_hat.shape != x.shape:
        raise InputError(f"a picture of shape {list(x.shape)} came back as {list(x_hat.shape)}")
    # Rounded as the table on disk is, so that a run that goes on from there has the same means.
    values = {name: round(FURTHER[name](x, x_hat), DECIMALS) for name in further}
    return Row(
        codec.name,
        settings_of(codec),
        quality,
        image,
        fingerprint(picture),
        picture.width,
        picture.height,
        len(data),
        round(8 * len(data) / (picture.width * picture.height), DECIMALS),
        round(psnr(x, x_hat), DECIMALS),
        round(ms_ssim(x, x_hat), DECIMALS),
        values.get("ssimulacra2"),
        values.get("butteraugli"),
        round(encoded - start, DECIMALS),
        round(decoded - encoded, DECIMALS),
    )
