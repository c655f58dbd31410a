"""`cwic decode`: decode .cwic files to pictures."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from cwic.cli import common, files, lossy, pair
from cwic.cli.decoding import Decoding, format_of, line
from cwic.cli.job import UsageError
from cwic.cli.tree import Patterns, plan_all
from cwic.config import PREVIEW_SCALES


def _area(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"\d+,\d+,\d+,\d+", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is not X,Y,W,H in pixels")
    return text


def _scale(scale: int) -> int:
    if scale not in (1, *PREVIEW_SCALES):
        raise typer.BadParameter(f"{scale} is not 1, {' or '.join(map(str, PREVIEW_SCALES))}")
    return scale


def decode(
    inputs: common.Sources,
    output: common.Output = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Weight file, where cwic does not find it itself.", show_default=False),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(
            "--crop", metavar="X,Y,W,H", help="Part to decode, in pixels.", callback=_area, show_default=False
        ),
    ] = None,
    scale: Annotated[
        int, typer.Option("--scale", help="8 or 16: a small picture, in about a quarter of the time.", callback=_scale)
    ] = 1,
    recover: Annotated[bool, typer.Option("--recover", help="Write what is left of damaged files.")] = False,
    output_quality: Annotated[
        int | None,
        typer.Option(
            "--output-quality",
            help=f"Of JPEG, WebP, AVIF; {lossy.GOOD}.",
            min=1,
            max=100,
            show_default=False,
        ),
    ] = None,
    jobs: common.Jobs = None,
    device: common.OnDevice = common.Device.cpu,
    include: common.Include = None,
    exclude: common.Exclude = None,
    skip_existing: common.SkipExisting = False,
    no_limits: common.NoLimits = False,
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Decompress: photo.cwic becomes photo.png. The name given with -o chooses another format.

    Two names, IN.cwic OUT.png, are an input and its output. A folder becomes the same tree of pictures in the folder
    that -o names. PNG keeps what was decoded; JPEG, WebP and AVIF lose some of it once more.
    """
    if recover and (crop or scale > 1):
        raise typer.BadParameter("--recover writes whole pictures: no --crop and no --scale with it")
    common.check_skip(skip_existing=skip_existing, force=force)
    inputs, output = pair.to_decode(inputs, output)
    patterns = Patterns(include or (), exclude or ())
    planned = plan_all(inputs, output, ".png", patterns, lambda suffix: suffix.lower() == pair.SUFFIX)
    formats = [format_asked_for(job.target) for job in planned.jobs]
    if output_quality is not None and not all(map(lossy.has_quality, formats)):
        raise typer.BadParameter("--output-quality is for pictures with loss, such as -o photo.jpg")
    share = files.share(jobs, planned.jobs, device)
    work = Decoding(
        model=model,
        area=None if crop is None else _four(crop),
        scale=scale,
        recover=recover,
        output_quality=output_quality,
        tiles_at_a_time=share.tiles,
        device=device.value,
        no_limits=no_limits,
        force=force,
        skip_existing=skip_existing,
    )
    files.run(
        planned,
        work,
        line,
        share=share,
        kind="cwic file",
        label="decoding",
        force=force,
        skip_existing=skip_existing,
        as_json=as_json,
    )


def format_asked_for(target: str) -> str:
    """Return Pillow's name of the format that a file name asks for.

    Raises typer.BadParameter (usage, exit code 2) if there is none.
    """
    try:
        return format_of(target)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None


def _four(crop: str) -> tuple[int, int, int, int]:
    left, top, width, height = map(int, crop.split(","))
    return left, top, width, height
