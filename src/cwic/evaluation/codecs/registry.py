"""The registry of the bench's codecs, one row each; opens a codec by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Codec, Scale
from cwic.evaluation.codecs.command_codec import read_command_codec
from cwic.evaluation.codecs.cwic_codec import CwicCodec
from cwic.evaluation.codecs.jpegxl_codec import JpegxlCodec
from cwic.evaluation.codecs.pillow_codec import HeifCodec, PillowCodec, jpeg2000_rate
from cwic.models import catalog
from cwic.models.refine import FASTEST, MOST

_JPEG = (5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90)
_HEIC = (5, 10, 15, 20, 26, 32, 38, 44, 50, 56)

PEERS = {
    codec.name: codec
    for codec in (
        PillowCodec("jpeg", "JPEG", "libjpeg_turbo", "4:2:0, default tables", _JPEG, {"subsampling": "4:2:0"}),
        PillowCodec("jpeg-444", "JPEG", "libjpeg_turbo", "4:4:4, default tables", _JPEG, {"subsampling": "4:4:4"}),
        PillowCodec(
            "jpeg2000",
            "JPEG2000",
            "jpg_2000",
            "4:4:4, irreversible 9/7 and ICT, JP2 file, one layer at quality/25 bits per pixel",
            (2.5, 4, 6, 9, 13, 18, 25, 35, 45, 60),
            {"irreversible": True, "quality_mode": "rates"},
            jpeg2000_rate,
            Scale(1, 100, 1),
        ),
        PillowCodec(
            "webp", "WEBP", "webp", "lossy, method 6", (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90), {"method": 6}
        ),
        PillowCodec(
            "avif",
            "AVIF",
            "avif",
            "4:2:0, speed 6, default tuning",
            (5, 10, 20, 30, 40, 50, 60, 70, 80, 90),
            {"subsampling": "4:2:0", "speed": 6},
        ),
        # The default tuning is for the eye; this one shows what the format can do in PSNR.
        PillowCodec(
            "avif-psnr",
            "AVIF",
            "avif",
            "4:4:4, speed 6, tune=psnr",
            (3, 8, 14, 20, 30, 40, 50, 60, 70, 80),
            {"subsampling": "4:4:4", "speed": 6, "advanced": {"tune": "psnr"}},
        ),
        # Speed 6 is what users get; 4 is what the format gives to those who wait.
        PillowCodec(
            "avif-s4-psnr",
            "AVIF",
            "avif",
            "4:4:4, speed 4, tune=psnr",
            (3, 8, 14, 20, 30, 40, 50, 60, 70, 80),
            {"subsampling": "4:4:4", "speed": 4, "advanced": {"tune": "psnr"}},
        ),
        JpegxlCodec("jpegxl", 7, (5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90)),
        HeifCodec("heic", "HEIF", "x265", "4:2:0, preset slow, tune ssim (the defaults)", _HEIC),
        HeifCodec(
            "heic-psnr",
            "HEIF",
            "x265",
            "4:4:4, preset slow, tune=psnr",
            (2, *_HEIC),
            {"chroma": 444, "enc_params": {"tune": "psnr"}},
        ),
    )
}


def open_codec(name: str) -> Codec:
    """A codec, ready to work.

    Args:
        name: a model that `cwic models list` shows, one of PEERS, the path of a `.safetensors` weight file, or the
            path of a `.toml` file that describes a program. After a model, `@` and a number are its effort: cwic-s@7.

    Raises:
        InputError: there is no such codec, or what it needs is not installed.
        ModelError: the weights of the model are missing or malformed.
    """
    model, at, effort = name.rpartition("@")
    if at and effort.isdigit():
        return _with_effort(open_codec(model), name, int(effort))
    path = Path(name)
    if path.suffix == ".toml":
        command = read_command_codec(path)
        command.ready()
        return command
    if name in catalog.CATALOG or name in catalog.names() or path.suffix == catalog.SUFFIX:
        catalog.describe(name)
        return CwicCodec(path.stem if path.suffix == catalog.SUFFIX else name, name)
    if name not in PEERS:
        known = ", ".join([*catalog.names(), *PEERS])
        raise InputError(f"unknown codec {name!r}; there are: {known}, and files: WEIGHTS.safetensors, PROGRAM.toml")
    PEERS[name].ready()
    return PEERS[name]


def _with_effort(codec: Codec, name: str, effort: int) -> Codec:
    if not isinstance(codec, CwicCodec) or not FASTEST <= effort <= MOST:
        raise InputError(f"{name}: models of cwic have efforts, {FASTEST} to {MOST}; other codecs have none")
    return replace(codec, name=f"{codec.name}@{effort}", effort=effort)
