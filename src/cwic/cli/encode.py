"""`cwic encode`: encode pictures to .cwic files."""

from __future__ import annotations

from typing import Annotated

import typer

from cwic.cli import common, files, options, pair
from cwic.cli.encoding import Encoding, line
from cwic.cli.tree import Patterns, plan_all
from cwic.image.files import format_of_suffix

_WITHOUT_PIXELS = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow names but reads only with other programs, or not at all."""


def encode(
    inputs: common.Sources,
    output: common.Output = None,
    quality: options.Quality = None,
    target_bytes: options.TargetBytes = None,
    target_bpp: options.TargetBpp = None,
    target_psnr: options.TargetPsnr = None,
    target_ms_ssim: options.TargetMsSsim = None,
    target_ssimulacra2: options.TargetSsimulacra2 = None,
    effort: options.Effort = options.DEFAULT_EFFORT,
    model: options.Model = None,
    tune: options.Tune = None,
    strip: options.Strip = False,
    tile: options.Tile = None,
    robust: options.Robust = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Decode, and show fidelity, bits by part and seconds by stage.")
    ] = False,
    jobs: common.Jobs = None,
    device: common.OnDevice = common.Device.cpu,
    include: common.Include = None,
    exclude: common.Exclude = None,
    skip_existing: common.SkipExisting = False,
    no_limits: common.NoLimits = False,
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Compress pictures: photo.png becomes photo.cwic. Alpha and metadata are kept.

    Two names, IN OUT.cwic, are an input and its output. A folder becomes the same tree of files in the folder that -o
    names. A target takes the place of a quality. Tiles have 1024 pixels a side in pictures of more than 2 megapixels.
    """
    options.check(quality, target_bytes, target_bpp, target_psnr, target_ms_ssim, target_ssimulacra2, tune=tune)
    common.check_skip(skip_existing=skip_existing, force=force)
    inputs, output = pair.to_encode(inputs, output)
    planned = plan_all(inputs, output, pair.SUFFIX, Patterns(include or (), exclude or ()), is_picture)
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


def is_picture(suffix: str) -> bool:
    """Return whether files with this suffix are pictures that Pillow can read."""
    from PIL import Image

    format = format_of_suffix(suffix)
    return format in Image.OPEN and format not in _WITHOUT_PIXELS
