"""`cwic encode`: pictures to .cwic files."""

from __future__ import annotations

from typing import Annotated

import typer

from cwic.cli import batch, files, pair
from cwic.cli.encoding import Encoding, line
from cwic.cli.tree import Patterns, plan_all
from cwic.config import TUNES
from cwic.models.catalog import DEFAULT_TUNE

_WITHOUT_PIXELS = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow knows and needs other programs for, or cannot read at all."""


def _in_range(quality: float | None) -> float | None:
    if quality is not None and not 0 <= quality <= 100:  # written so that NaN is refused too
        raise typer.BadParameter(f"{quality:g} is not from 0 to 100")
    return quality


def _positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value:g} is not a positive number")
    return value


def _tile_side(side: int | None) -> int | None:
    from cwic.container.header import tile_code_of

    try:
        if side is not None:
            tile_code_of(side)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return side


def encode(
    inputs: batch.Sources,
    output: batch.Output = None,
    quality: Annotated[
        float | None, typer.Option("--quality", "-q", help="From 0 (small) to 100 (close); 50.", callback=_in_range)
    ] = None,
    target_bytes: Annotated[
        float | None, typer.Option("--target-bytes", help="Largest file of at most that size.", callback=_positive)
    ] = None,
    target_bpp: Annotated[
        float | None, typer.Option("--target-bpp", help="The same in bits per pixel.", callback=_positive)
    ] = None,
    target_psnr: Annotated[
        float | None, typer.Option("--target-psnr", help="Smallest file of at least that PSNR, dB.", callback=_positive)
    ] = None,
    target_ms_ssim: Annotated[
        float | None, typer.Option("--target-ms-ssim", help="The same with that MS-SSIM.", callback=_positive)
    ] = None,
    target_ssimulacra2: Annotated[
        float | None,
        typer.Option("--target-ssimulacra2", help="The same with so many points: 90, 70, 50.", callback=_positive),
    ] = None,
    effort: Annotated[int, typer.Option("--effort", "-e", min=1, max=9, help="1 (fastest) to 9 (smallest files).")] = 5,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Size s (fast) or m (small files), a name, or a weight file.  [default: s]"),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option("--tune", help=f"What it is to please: {', '.join(TUNES)}.  [default: {DEFAULT_TUNE}]"),
    ] = None,
    strip: Annotated[bool, typer.Option("--strip", help="Leave ICC profile, EXIF and XMP out.")] = False,
    tile: Annotated[
        int | None, typer.Option("--tile", help="Side of tiles: 128, 256, 512 ...", callback=_tile_side)
    ] = None,
    robust: Annotated[bool, typer.Option("--robust", help="Tiles so small that damage leaves most of it.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Decode, and show fidelity, bits by part and seconds by stage.")
    ] = False,
    jobs: batch.Jobs = None,
    device: batch.OnDevice = batch.Device.cpu,
    include: batch.Include = None,
    exclude: batch.Exclude = None,
    skip_existing: batch.SkipExisting = False,
    no_limits: batch.NoLimits = False,
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Compress pictures: photo.png becomes photo.cwic. Alpha and metadata are kept.

    Two names, IN OUT.cwic, are an input and its output. A folder becomes the same tree of files in the folder that -o
    names. A target takes the place of a quality. Tiles have 1024 pixels a side in pictures of more than 2 megapixels.
    """
    wishes = (quality, target_bytes, target_bpp, target_psnr, target_ms_ssim, target_ssimulacra2)
    if sum(wish is not None for wish in wishes) > 1:
        raise typer.BadParameter("a quality or one target can be given, not several")
    if tune not in (None, *TUNES):
        raise typer.BadParameter(f"--tune {tune}: there are {', '.join(TUNES)}")
    batch.check_skip(skip_existing=skip_existing, force=force)
    inputs, output = pair.to_encode(inputs, output)
    planned = plan_all(inputs, output, pair.SUFFIX, Patterns(include or (), exclude or ()), _is_picture)
    share = files.share(jobs, planned.jobs, device)
    work = Encoding(
        quality=quality,
        target_bytes=target_bytes,
        target_bpp=target_bpp,
        target_psnr=target_psnr,
        target_ms_ssim=target_ms_ssim,
        target_ssimulacra2=target_ssimulacra2,
        effort=effort,
        model=model,
        tune=tune,
        strip=strip,
        tile=tile,
        robust=robust,
        tiles_at_a_time=share.tiles,
        device=device.value,
        no_limits=no_limits,
        force=force,
        skip_existing=skip_existing,
        verbose=verbose,
    )
    files.run(
        planned,
        work,
        line,
        share=share,
        kind="picture",
        label="encoding",
        force=force,
        skip_existing=skip_existing,
        as_json=as_json,
    )


def _is_picture(suffix: str) -> bool:
    """Whether files with a suffix are pictures that can be read."""
    from PIL import Image

    format = Image.registered_extensions().get(suffix.lower())
    return format in Image.OPEN and format not in _WITHOUT_PIXELS
