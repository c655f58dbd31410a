"""Encode, decode and recover: the map of the codec, one stage a line.

    as_picture        image/       a Pillow image, an array or a tensor to 8-bit pixels and alpha
    TileEncoder       tiling/      for each tile, with the pixels around it:
      analyse         networks/      pixels to y, by the float networks
      compress        models/        y and z to y_hat: rounded, and coded as the integer prior says
        traverse      latents/         four passes: what is known of each symbol before it is coded
        SymbolEncoder entropy/         symbols to bytes
      pack_tile       container/     bytes and their checksum to a chunk
    write_container   container/   header and chunks to a file

Decoding is the same list read upwards: read_index, then TileDecoder with decompress and synthesise, then to_pillow.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.arguments import check_device, check_flag, check_type, four_numbers, model_name, number, whole_number
from cwic.config import PREVIEW_SCALES
from cwic.container.chunks import ALPHA, Chunk, write_container
from cwic.container.header import Header, tile_code_of
from cwic.container.index import read_index
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.container.salvage import salvage
from cwic.container.source import Source, check_path, data_of
from cwic.entropy.lossless import OPAQUE, decode_plane, encode_plane
from cwic.errors import FormatError, LimitError, ModelError
from cwic.image.arrays import means_of_squares
from cwic.image.files import open_image
from cwic.image.metadata import Metadata, metadata_of, upright
from cwic.image.picture import Picture, as_picture, is_array, to_pillow
from cwic.models import catalog
from cwic.models.refine import DEFAULT_EFFORT, FASTEST, MOST
from cwic.stages import stage
from cwic.targets import TARGETS, Target, reach
from cwic.tiling.decode import TileDecoder
from cwic.tiling.encode import TileEncoder
from cwic.tiling.grid import Tiles, crop_box, default_tile_code, robust_tile_code
from cwic.tiling.placement import placed_tiles

DEFAULT_QUALITY = 50.0
_PICTURES = "a Pillow image, a uint8 array, or a picture file: its path, its bytes, or opened in binary mode"


def encode(
    image: Image.Image | np.ndarray | str | PathLike[str] | IO[bytes] | bytes | Any,
    *,
    quality: float | None = None,
    target_bytes: float | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    target_ms_ssim: float | None = None,
    target_ssimulacra2: float | None = None,
    model: str | PathLike[str] | None = None,
    tune: str | None = None,
    metadata: Metadata | None = None,
    strip: bool = False,
    tile: int | None = None,
    robust: bool = False,
    effort: int = DEFAULT_EFFORT,
    jobs: int = 1,
    device: str = "cpu",
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Encode a picture to the bytes of a `.cwic` file.

    Args:
        image: a Pillow image of mode RGB, RGBA, L, LA, P, PA or 1; or a uint8 array `[H, W, 3]`, `[H, W]` or
            `[H, W, 1]`, or with alpha as a last channel, of numpy or of what numpy takes for one, with any strides; or
            a uint8 tensor of torch, channels first, `[3, H, W]`; or the path of a picture file of a format that Pillow
            reads, such a file opened in binary mode, or its bytes. Alpha is kept without loss. An array may be a memory
            map larger than memory: it is read tile by tile.
        quality: 0 (smallest) to 100 (best), in steps of 0.1, 50 by default; the rate-distortion trade-off `lmbda` of
            the loss `lmbda * 255**2 * MSE + bpp` is `0.0009 * 200**(quality / 100)`. A model of one rate takes
            neither quality nor target.
        target_bytes: instead of a quality: the largest file of at most this many bytes, with all that is in it.
        target_bpp: the same in bits per pixel.
        target_psnr: instead of a quality: the smallest file that decodes to at least this PSNR in dB, over 8-bit
            samples, alpha left out.
        target_ms_ssim: the same with at least this MS-SSIM, below 1.
        target_ssimulacra2: the same with at least so many points of SSIMULACRA 2, below 100: 90 is what the eye cannot
            tell from the original, 70 a high quality, 50 a medium one.
        model: a size, `s` (the default: fast) or `m` (smaller files); or a name that `cwic models list` shows, or the
            path of a weight file.
        tune: what the model is to please, with a size: `psnr`, `ms-ssim` or `eye`. By default it is
            `cwic.models.catalog.DEFAULT_TUNE`.
        metadata: what to write of it; by default the ICC profile, EXIF and XMP that Pillow read with the image.
        strip: write no metadata, and turn the picture upright if its EXIF says how, since nothing will say so later.
        tile: side of tiles in pixels, 128, 256, 512 ...; by default 1024 for pictures over 2 megapixels, and one tile
            for others. Memory grows with the tile, and bytes by a little as tiles get smaller.
        robust: instead of a side of tiles: tiles so small that damage to one of them leaves most of the picture, at
            least five sixths from 0.1 megapixels on. Files grow by 1 to 5 %: docs/tiles.md.
        effort: 1 (fastest) to 9 (smallest): how long to look for fewer bits at the same quality. From 6 on latents are
            refined for the picture at hand: 7 takes 13 to 20 times as long as the default, 9 with `s` about a
            hundred times. No file gets worse. That is for models tuned to PSNR alone. docs/effort.md has figures.
        jobs: tiles to work on at a time, in threads.
        device: where the networks run, `cpu` or `cuda`. It does not change what the file decodes to.
        limits: the largest picture to accept.

    Raises:
        TypeError: an argument is of another type than those above.
        ValueError: an argument is out of range, more than one of quality and targets are given, or one of them to a
            model of one rate, or `tile` beside `robust`.
        InputError: a kind of picture that cwic does not code, or a file that cannot be read; the message says what
            to do.
        LimitError: the picture is larger than `limits`.
        ModelError: an unknown model, or none of that size and tune, or its weights are missing or malformed.
        TargetError: no quality reaches the target; the message gives the range.
    """
    for name, flag in (("strip", strip), ("robust", robust)):
        check_flag(name, flag)
    if tile is not None:
        tile = whole_number("tile", tile, "a whole number of pixels")
        if robust:
            raise ValueError("robust chooses the side of the tiles: leave one of robust and tile out")
    effort = whole_number("effort", effort)
    if not FASTEST <= effort <= MOST:
        raise ValueError(f"effort must be from {FASTEST} to {MOST}, not {effort}")
    _check_metadata(metadata)
    model = catalog.chosen(None if model is None else model_name(model), tune)
    jobs = _checked_jobs(jobs, device, limits)
    with _opened(image) as source:
        picture = as_picture(upright(source) if strip else source)
        kept = Metadata() if strip else metadata or metadata_of(source)
    values = (target_bytes, target_bpp, target_psnr, target_ms_ssim, target_ssimulacra2)
    target = Target.of(picture.width * picture.height, quality, dict(zip(TARGETS, values, strict=True)))
    level = level_of(model, quality, target)
    choose = robust_tile_code if robust else default_tile_code
    tile_code = choose(picture.width, picture.height) if tile is None else tile_code_of(tile)
    header = Header(catalog.id_of(model), picture.width, picture.height, picture.full_mode, level, tile_code)
    header.check(limits)
    with stage("coding"):
        chunks = _side_chunks(picture, kept, limits)
    with stage("loading"):
        network = catalog.open_model(model, device)
    if effort > DEFAULT_EFFORT and not network.has_outlook:
        raise ValueError(
            f"effort {effort} refines by the error that a model is tuned to, and cannot for {model}: take an effort up "
            f"to {DEFAULT_EFFORT}, or a model of the cwic family that is tuned to eye or psnr"
        )
    tiles = TileEncoder(network, picture, Tiles.of(header), cache_analysis=target is not None)

    def file_at(level: int, effort: int) -> bytes:
        return write_container(replace(header, level=level), [*chunks, *tiles.encode(level, jobs, effort)])

    def decoded(data: bytes) -> NDArray[np.uint8]:
        with stage("decoding"):
            return as_picture(decode(data, model=model, jobs=jobs, device=device, limits=limits)).pixels

    return file_at(level, effort) if target is None else reach(target, file_at, decoded, picture.pixels, effort)


def decode(
    data: Source,
    *,
    crop: tuple[int, int, int, int] | None = None,
    scale: int = 1,
    model: str | PathLike[str] | None = None,
    jobs: int = 1,
    device: str = "cpu",
    limits: Limits = DEFAULT_LIMITS,
) -> Image.Image:
    """Decode a `.cwic` file to a Pillow image, with its metadata in `info`.

    Args:
        data: the file: its bytes (any object with a buffer; a memory map is read only where needed), its path, or the
            file opened in binary mode, read from where it stands to its end.
        crop: left, top, width and height of a part to decode alone. Only the tiles that it needs are read and verified.
        scale: 8 or 16 for a small picture, of the means of squares of so many pixels or nearly that (docs/scale.md), in
            about a quarter of the time. Of a `crop` it has all squares that meet it.
        model: needed where the file's model is neither in the package nor in a folder that the environment variable
            CWIC_MODELS lists: the path of its weight file.
        jobs: tiles to work on at a time, in threads.
        device: where the networks run: `cpu` or `cuda`.
        limits: the largest picture to accept.

    Raises:
        TypeError: an argument is of another type than those above.
        ValueError: `jobs` is not positive, or there is no such `scale`.
        InputError: `crop` is not inside the picture, or `data` is something else or cannot be read.
        FormatError: not a cwic file, a damaged one, or one that needs a newer version.
        LimitError: the file asks for more than `limits`; raised before memory is taken.
        ModelError: the model that the file was written with is not here, or is not `model`.
    """
    wanted, jobs = None if model is None else model_name(model), _checked_jobs(jobs, device, limits)
    part = None if crop is None else four_numbers(crop)
    if whole_number("scale", scale) not in (1, *PREVIEW_SCALES):
        raise ValueError(f"scale must be 1, {' or '.join(map(str, PREVIEW_SCALES))}, not {scale}")
    index = read_index(data_of(data), limits)
    area = crop_box(index.header.width, index.header.height, part)
    index.verify(Tiles.of(index.header).meeting(area))
    network = catalog.open_model(model_of(index.header, wanted), device)
    picture = TileDecoder(network, index.header, index.tile).decode(area, jobs, scale)
    side = {chunk.type: chunk.payload for chunk in index.chunks(tiles=False)}
    if ALPHA in side:
        reach = area if scale == 1 else area.aligned(scale).within(Tiles.of(index.header).picture)
        alpha = decode_plane(side[ALPHA], index.header.height, index.header.width, *reach.rows_and_columns)
        alpha = alpha if scale == 1 else means_of_squares(alpha, scale)
        picture = picture._replace(alpha=alpha)
    return to_pillow(picture, Metadata.from_payloads(side))


class Recovered(NamedTuple):
    """The result of `recover`: the readable part of a damaged file.

    Attributes:
        image: the picture; grey where tiles are lost, and blurred where a tile is cut short.
        lost: what is missing, and where, in words; empty if nothing is.
    """

    image: Image.Image
    lost: list[str]


def recover(
    data: Source,
    *,
    model: str | PathLike[str] | None = None,
    jobs: int = 1,
    device: str = "cpu",
    limits: Limits = DEFAULT_LIMITS,
) -> Recovered:
    """Decode what is intact of a damaged file, and what is there of a tile that is cut short.

    Arguments are those of `decode`. Near a lost tile, up to the reach of the synthesis, other tiles may look a little
    different from what they were.

    Raises:
        FormatError: no tile of the file can be shown, or it needs a newer version.
        InputError, LimitError, ModelError: as `decode`.
    """
    wanted, jobs = None if model is None else model_name(model), _checked_jobs(jobs, device, limits)
    found = salvage(data_of(data), limits)
    header, lost = found.header, list(found.lost)
    area = crop_box(header.width, header.height, None)
    network = catalog.open_model(model_of(header, wanted), device)
    decoder = TileDecoder(network, header, placed_tiles(network, found), tolerant=True)
    picture = decoder.decode(area, jobs)
    if decoder.is_empty:
        raise FormatError("nothing can be recovered: no tile can be shown")
    side = {chunk.type: chunk.payload for chunk in found.chunks}
    if header.has_alpha:
        picture, damage = _alpha_if_intact(picture, side.get(ALPHA, b""))
        lost += damage
    return Recovered(to_pillow(picture, Metadata.from_payloads(side)), [*lost, *decoder.lost])


def level_of(model: str, quality: float | None = None, target: Target | None = None) -> int:
    """The level, 0..1000, that a file of `model` stores for a quality. Raises as `encode` does."""
    if not catalog.describe(model).config.variable_rate:
        if quality is not None or target is not None:
            raise ValueError(f"{model} has one rate: leave quality and target out")
        return 0
    quality = DEFAULT_QUALITY if quality is None else number("quality", quality, "a number between 0 and 100")
    if not 0 <= quality <= 100:
        raise ValueError(f"quality must be between 0 and 100, not {quality}")
    return round(quality * 10)


def model_of(header: Header, given: str | None) -> str:
    """The model that decodes a file, as `catalog.open_model` takes it. Raises `ModelError` if it is not here."""
    wanted = header.model_id
    name = catalog.name_of(wanted) if given is None else given
    if name is None:
        raise ModelError(
            f"the file was written with model {wanted.hex()}, which is not here: name its weight file, or update cwic"
        )
    if catalog.id_of(name) != wanted:
        raise ModelError(
            f"the file was written with model {wanted.hex()}, not with {name} ({catalog.id_of(name).hex()})"
        )
    return name


def _checked_jobs(jobs: Any, device: Any, limits: Any) -> int:
    """The number of jobs. Raises `TypeError` where it, the device or the limits are of another type."""
    check_device(device)
    check_type("limits", limits, Limits, "a cwic.Limits")
    return whole_number("jobs", jobs)


def _check_metadata(metadata: Any) -> None:
    if metadata is not None:
        check_type("metadata", metadata, Metadata, "a cwic.Metadata")
        for name, value in metadata._asdict().items():
            check_type(f"{name} of metadata", value, bytes, "bytes")


def _opened(image: Any) -> AbstractContextManager[Any]:
    """A picture file as a Pillow image, closed in the end; what is a picture already stays as it is."""
    if isinstance(image, Image.Image) or is_array(image):
        return nullcontext(image)
    if isinstance(image, memoryview) and image.ndim > 1:
        return nullcontext(np.asarray(image))
    if isinstance(image, str | PathLike):
        check_path(image)
        return open_image(image)
    return open_image(data_of(image, _PICTURES)[:])


def _side_chunks(picture: Picture, metadata: Metadata, limits: Limits) -> list[Chunk]:
    """All that a file holds besides its tiles."""
    try:
        limits.check("max_metadata_bytes", sum(map(len, metadata)))
    except LimitError as error:
        raise LimitError(f"metadata: {error}; --strip, or strip=True, leaves them out") from error
    chunks = metadata.to_chunks()
    if picture.alpha is not None:
        chunks.append(Chunk(ALPHA, encode_plane(picture.alpha)))
    return chunks


def _alpha_if_intact(picture: Picture, payload: bytes) -> tuple[Picture, list[str]]:
    """The picture with its alpha, or opaque and what to say of it."""
    try:
        return picture._replace(alpha=decode_plane(payload, picture.height, picture.width)), []
    except FormatError:
        opaque = np.full((picture.height, picture.width), OPAQUE, np.uint8)
        return picture._replace(alpha=opaque), ["alpha: the picture is opaque"]
