"""`cwic encode`: pictures to .cwic files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cwic.cli import batch
from cwic.cli.plan import UsageError, check_job, plan
from cwic.cli.replaced import check_no_picture
from cwic.cli.timing import Stopwatch
from cwic.config import TUNES
from cwic.models.catalog import DEFAULT_TUNE, chosen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from cwic.image.metadata import Metadata


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


def _picture_of(source: str, *, strip: bool) -> tuple[Image.Image | NDArray[np.uint8], Metadata | None]:
    """The picture of a file or of stdin, mapped where that can be, else read. Raises as `open_image`.

    With the metadata that the file has, None if the picture itself knows.
    """
    from cwic.image.files import open_image
    from cwic.image.mapped import map_pixels
    from cwic.image.streamed import stream_picture

    if not batch.is_file(source):  # what can be read only once
        return open_image(batch.read(source)), None
    mapped = map_pixels(source)
    if mapped is not None:
        return mapped, None
    return stream_picture(source, upright=strip) or (open_image(source), None)


def encode(
    inputs: batch.Inputs,
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
    jobs: batch.Jobs = 1,
    device: batch.OnDevice = batch.Device.cpu,
    no_limits: batch.NoLimits = False,
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Compress pictures: photo.png becomes photo.cwic. Alpha and metadata are kept.

    A target takes the place of a quality. Tiles have 1024 pixels a side in pictures of more than 2 megapixels.
    """
    wishes = (quality, target_bytes, target_bpp, target_psnr, target_ms_ssim, target_ssimulacra2)
    if sum(wish is not None for wish in wishes) > 1:
        raise typer.BadParameter("a quality or one target can be given, not several")
    if tune not in (None, *TUNES):
        raise typer.BadParameter(f"--tune {tune}: there are {', '.join(TUNES)}")
    planned = plan(inputs, output, ".cwic")

    watch = Stopwatch()

    def work(index: int) -> None:
        job = planned[index]
        check_job(job, force=force)
        check_no_picture(Path(job.target), force=force)
        limits = batch.limits(no_limits)

        import cwic
        from cwic.container import Header

        name = chosen(model, tune)
        image, metadata = _picture_of(job.source, strip=strip)
        watch.start()
        try:
            data = cwic.encode(
                image,
                quality=quality,
                target_bytes=target_bytes,
                target_bpp=target_bpp,
                target_psnr=target_psnr,
                target_ms_ssim=target_ms_ssim,
                target_ssimulacra2=target_ssimulacra2,
                effort=effort,
                model=name,
                metadata=metadata,
                strip=strip,
                tile=tile,
                robust=robust,
                jobs=jobs,
                device=device.value,
                limits=limits,
            )
        except ValueError as error:  # what the options before could not know: the model has one rate
            if type(error) is not ValueError:  # nothing that was said of an argument
                raise
            raise UsageError(str(error)) from error
        seconds = watch.stop(data)
        batch.write(job.target, data, force=force)

        header, _ = Header.unpack(data, limits)
        bpp = 8 * len(data) / (header.width * header.height)
        size = f"{header.width}x{header.height}"
        batch.report(
            f"{job}  {size}  {len(data)} bytes  {bpp:.3f} bpp  quality {header.quality:g}  {seconds}",
            {
                "input": job.source,
                "output": job.target,
                "width": header.width,
                "height": header.height,
                "mode": header.mode,
                "quality": header.quality,
                "model": name,
                "bytes": len(data),
                "bpp": bpp,
                **seconds.record,
            },
            as_json=as_json,
            target=job.target,
        )

    batch.run([job.source for job in planned], work, with_warnings=True)
