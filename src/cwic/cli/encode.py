"""`cwic encode`: pictures to .cwic files."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

import typer

from cwic.cli import batch
from cwic.models.catalog import DEFAULT


def _in_range(quality: float | None) -> float | None:
    if quality is not None and not 0 <= quality <= 100:  # written so that NaN is refused too
        raise typer.BadParameter(f"{quality:g} is not from 0 to 100")
    return quality


def encode(
    inputs: batch.Inputs,
    output: batch.Output = None,
    quality: Annotated[
        float | None,
        typer.Option("--quality", "-q", help="From 0 (small) to 100 (close); 50 if left out.", callback=_in_range),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Of cwic models list, or the path of a weight file.")
    ] = DEFAULT,
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Compress pictures: photo.png becomes photo.cwic."""
    jobs = batch.plan(inputs, output, ".cwic")

    def work(index: int) -> None:
        job = jobs[index]
        batch.check_job(job, force=force)
        source = batch.read(job.source)

        import cwic
        from cwic.image.files import open_image

        image = open_image(source)
        start = perf_counter()
        try:
            data = cwic.encode(image, quality=quality, model=model)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        seconds = perf_counter() - start
        batch.write(job.target, data, force=force)

        width, height = image.size
        bpp = 8 * len(data) / (width * height)
        batch.report(
            f"{job}  {width}x{height}  {len(data)} bytes  {bpp:.3f} bpp  {seconds:.2f} s",
            {
                "input": job.source,
                "output": job.target,
                "width": width,
                "height": height,
                "quality": cwic.read_info(data).quality,
                "model": model,
                "bytes": len(data),
                "bpp": bpp,
                "seconds": seconds,
            },
            as_json=as_json,
            target=job.target,
        )

    batch.run(inputs, work)
