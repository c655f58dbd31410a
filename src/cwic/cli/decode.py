"""`cwic decode`: .cwic files to pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cwic.cli import batch, lossy
from cwic.cli.plan import PIPE, check_job, plan, shown
from cwic.cli.timing import Stopwatch
from cwic.config import PREVIEW_SCALES
from cwic.container.header import MAX_BYTES
from cwic.errors import FormatError

if TYPE_CHECKING:
    from PIL import Image


def _area(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"\d+,\d+,\d+,\d+", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is not X,Y,W,H in pixels")
    return text


def _scale(scale: int) -> int:
    if scale not in (1, *PREVIEW_SCALES):
        raise typer.BadParameter(f"{scale} is not 1, {' or '.join(map(str, PREVIEW_SCALES))}")
    return scale


def decode(
    inputs: batch.Inputs,
    output: batch.Output = None,
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
        int, typer.Option("--scale", help="8 or 16: a small picture, in a third of the time.", callback=_scale)
    ] = 1,
    recover: Annotated[bool, typer.Option("--recover", help="Write what is intact of damaged files.")] = False,
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
    jobs: batch.Jobs = 1,
    device: batch.OnDevice = batch.Device.cpu,
    no_limits: batch.NoLimits = False,
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Decompress: photo.cwic becomes photo.png. The name given with -o chooses another format.

    PNG keeps what was decoded; JPEG, WebP and AVIF lose some of it once more.
    """
    if recover and (crop or scale > 1):
        raise typer.BadParameter("--recover writes whole pictures: no --crop and no --scale with it")
    planned = plan(inputs, output, ".png")
    formats = [_format(job.target) for job in planned]
    if output_quality is not None and not all(map(lossy.has_quality, formats)):
        raise typer.BadParameter("--output-quality is for pictures with loss, such as -o photo.jpg")
    area = None if crop is None else _four(crop)

    watch = Stopwatch()

    def work(index: int) -> None:
        job = planned[index]
        check_job(job, force=force)
        limits = batch.limits(no_limits)
        with batch.data_of(job.source, mapped=area is not None) as source:
            import cwic

            watch.start()
            lost: list[str] = []
            how: dict[str, Any] = {"model": model, "jobs": jobs, "device": device.value, "limits": limits}
            if recover:
                image, lost = cwic.recover(source, **how)
            else:
                image = cwic.decode(source, crop=area, scale=scale, **how)
            seconds = watch.stop(bytes(source[:MAX_BYTES]))
        _save(image, job.target, formats[index], quality=output_quality, force=force)

        width, height = image.size
        batch.report(
            f"{job}  {width}x{height}  {image.mode}  {seconds}",
            {
                "input": job.source,
                "output": job.target,
                "width": width,
                "height": height,
                "mode": image.mode,
                **seconds.record,
                "lost": lost,
            },
            as_json=as_json,
            target=job.target,
        )
        if lost:
            raise FormatError(f"damaged, and the rest is in {job.target}; lost:\n  " + "\n  ".join(lost))

    batch.run([job.source for job in planned], work, with_warnings=True)


def _save(image: Image.Image, target: str, format: str, *, quality: int | None, force: bool) -> None:
    """Write a picture with its metadata, and say what its format cannot hold."""
    from cwic.image.save import code_as

    coded = code_as(image, format, lossy.quality_options(format, quality))
    batch.write(target, coded.data, force=force)
    if loss := lossy.loss_of(format, quality):
        batch.say(f"cwic: {shown(target)}: {loss}")
    if coded.lost:
        turned = "; the pixels are turned upright" if coded.is_turned else ""
        batch.say(f"cwic: {shown(target)}: {format} cannot hold {' and '.join(coded.lost)}: left out{turned}")


def _four(crop: str) -> tuple[int, int, int, int]:
    left, top, width, height = map(int, crop.split(","))
    return left, top, width, height


def _format(target: str) -> str:
    """Pillow's name of the format that a file name asks for. PNG for a pipe or a device."""
    if target == PIPE or (Path(target).exists() and not Path(target).is_file()):
        return "PNG"
    suffix = Path(target).suffix.lower()
    if suffix == ".png":
        return "PNG"

    from PIL import Image

    format = Image.registered_extensions().get(suffix)
    if format is None or format not in Image.SAVE:
        raise typer.BadParameter(f"{shown(target)}: no format to write pictures in has the suffix '{suffix}'")
    return format
