"""`cwic decode`: .cwic files to pictures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from cwic.cli import batch
from cwic.errors import InputError


def decode(
    inputs: batch.Inputs,
    output: batch.Output = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Weight file, where cwic does not find it itself.", show_default=False),
    ] = None,
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Decompress: photo.cwic becomes photo.png. The name given with -o chooses another format."""
    jobs = batch.plan(inputs, output, ".png")
    formats = [_format(job.target) for job in jobs]

    def work(index: int) -> None:
        job = jobs[index]
        batch.check_job(job, force=force)
        source = batch.read(job.source)

        import cwic

        start = perf_counter()
        image = cwic.decode(source, model=model)
        seconds = perf_counter() - start
        coded = BytesIO()
        try:
            image.save(coded, format=formats[index])
        except (OSError, ValueError) as error:
            raise InputError(f"cannot save as {formats[index]}: {error}") from error
        batch.write(job.target, coded.getvalue(), force=force)

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
            },
            as_json=as_json,
            target=job.target,
        )

    batch.run(inputs, work)


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
