"""`cwic decode`: .cwic files to pictures."""

from __future__ import annotations

import re
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from cwic.cli import batch
from cwic.errors import FormatError

if TYPE_CHECKING:
    from PIL import Image


def _area(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"\d+,\d+,\d+,\d+", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is not X,Y,W,H in pixels")
    return text


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
    recover: Annotated[bool, typer.Option("--recover", help="Write what is intact of damaged files.")] = False,
    jobs: batch.Jobs = 1,
    device: batch.OnDevice = batch.Device.cpu,
    no_limits: batch.NoLimits = False,
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Decompress: photo.cwic becomes photo.png. The name given with -o chooses another format."""
    if recover and crop:
        raise typer.BadParameter("--recover writes whole pictures: no --crop with it")
    jobs_of_files = batch.plan(inputs, output, ".png")
    formats = [_format(job.target) for job in jobs_of_files]
    area = None if crop is None else _four(crop)

    def work(index: int) -> None:
        job = jobs_of_files[index]
        batch.check_job(job, force=force)
        limits = batch.limits(no_limits)
        with batch.data_of(job.source, mapped=area is not None) as source:
            import cwic

            start = perf_counter()
            lost: list[str] = []
            if recover:
                image, lost = cwic.recover(source, model=model, jobs=jobs, device=device.value, limits=limits)
            else:
                image = cwic.decode(source, crop=area, model=model, jobs=jobs, device=device.value, limits=limits)
            seconds = perf_counter() - start
        _save(image, job.target, formats[index], force=force)

        width, height = image.size
        batch.report(
            f"{job}  {width}x{height}  {image.mode}  {seconds:.2f} s",
            {
                "input": job.source,
                "output": job.target,
                "width": width,
                "height": height,
                "mode": image.mode,
                "seconds": seconds,
                "lost": lost,
            },
            as_json=as_json,
            target=job.target,
        )
        if lost:
            raise FormatError(f"damaged, and the rest is in {job.target}; lost:\n  " + "\n  ".join(lost))

    batch.run(inputs, work)


def _save(image: Image.Image, target: str, format: str, *, force: bool) -> None:
    """Write a picture with its metadata, and say what its format cannot hold."""
    from cwic.image.save import code_as

    coded = code_as(image, format)
    batch.write(target, coded.data, force=force)
    if coded.lost:
        turned = "; the pixels are turned upright" if coded.is_turned else ""
        batch.say(f"cwic: {target}: {format} cannot hold {' and '.join(coded.lost)}: left out{turned}")


def _four(crop: str) -> tuple[int, int, int, int]:
    left, top, width, height = map(int, crop.split(","))
    return left, top, width, height


def _format(target: str) -> str:
    """Pillow's name of the format that a file name asks for. PNG for a pipe or a device."""
    if target == batch.PIPE or (Path(target).exists() and not Path(target).is_file()):
        return "PNG"
    suffix = Path(target).suffix.lower()
    if suffix == ".png":
        return "PNG"

    from PIL import Image

    format = Image.registered_extensions().get(suffix)
    if format is None or format not in Image.SAVE:
        raise typer.BadParameter(f"{target}: no format to write pictures in has the suffix '{suffix}'")
    return format
