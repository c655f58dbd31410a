"""The work of `cwic encode` on one picture: read, code, and measure where that is asked for."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cwic.cli import streams
from cwic.cli.job import Job, UsageError, check_job
from cwic.cli.outcome import Made
from cwic.cli.replaced import check_no_picture
from cwic.cli.timing import Seconds, Stopwatch
from cwic.cli.whole import is_whole_file
from cwic.models.catalog import chosen
from cwic.stages import stage, timed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from cwic.image.metadata import Metadata

_STAGES = ("read", "loading", "analysis", "coding", "decoding")
"""The stages in the order in which they are shown; writing comes after them."""


@dataclass
class Encoding:
    """The work of `cwic encode` on one picture, with the options of the command. It can be sent to another process."""

    quality: float | None
    target_bytes: float | None
    target_bpp: float | None
    target_psnr: float | None
    target_ms_ssim: float | None
    target_ssimulacra2: float | None
    effort: int
    model: str | None
    tune: str | None
    strip: bool
    tile: int | None
    robust: bool
    tiles_at_a_time: int
    device: str
    no_limits: bool
    force: bool
    skip_existing: bool
    verbose: bool
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __call__(self, job: Job) -> Made:
        """Return the bytes of the .cwic file of a picture, with its report.

        Raises:
            UsageError: the model does not take the options, or the output has the name of a picture.
            CwicError: the picture cannot be read or coded, or the output must not be written.
        """
        limits = streams.limits(self.no_limits)
        target = Path(job.target)
        is_there = self.skip_existing and job.clash is None and target.is_file()
        if is_there and is_whole_file(target, limits):
            return Made({"input": job.source, "output": job.target, "skipped": True})
        check_job(job, force=self.force or is_there)
        check_no_picture(target, force=self.force)

        import cwic
        from cwic.container import Header

        name = chosen(self.model, self.tune)
        with timed() if self.verbose else nullcontext() as stages:
            with stage("read"):
                image, metadata = _picture_of(job.source, strip=self.strip)
            self.watch.start()
            try:
                data = cwic.encode(
                    image,
                    quality=self.quality,
                    target_bytes=self.target_bytes,
                    target_bpp=self.target_bpp,
                    target_psnr=self.target_psnr,
                    target_ms_ssim=self.target_ms_ssim,
                    target_ssimulacra2=self.target_ssimulacra2,
                    effort=self.effort,
                    model=name,
                    metadata=metadata,
                    strip=self.strip,
                    tile=self.tile,
                    robust=self.robust,
                    jobs=self.tiles_at_a_time,
                    device=self.device,
                    limits=limits,
                )
            except ValueError as error:  # such as a quality for a model of one rate
                if type(error) is not ValueError:  # a subclass does not speak of an argument
                    raise
                raise UsageError(str(error)) from error
            seconds = self.watch.stop(data)

        header, _ = Header.unpack(data, limits)
        record: dict[str, Any] = {
            "input": job.source,
            "output": job.target,
            "width": header.width,
            "height": header.height,
            "mode": header.mode,
            "quality": header.quality,
            "model": name,
            "bytes": len(data),
            "bpp": 8 * len(data) / (header.width * header.height),
            **seconds.record,
        }
        if stages is not None:
            from cwic.cli.verbose import measured

            record |= measured(image, data, model=name, strip=self.strip, limits=limits, device=self.device)
            record["seconds_by_stage"] = {name: stages.seconds[name] for name in _STAGES if name in stages.seconds}
            if stages.sums:
                record["refined"] = stages.sums
        return Made(record, data, replaces=is_there)


def line(record: dict[str, Any]) -> str:
    """Return the line that reports a picture."""
    text = (
        f"{Job(record['input'], record['output'])}  {record['width']}x{record['height']}  {record['bytes']} bytes"
        f"  {record['bpp']:.3f} bpp  quality {record['quality']:g}  {Seconds.of(record)}"
    )
    if "bits" not in record:
        return text
    bits = "  ".join(f"{part} {count}" for part, count in record["bits"].items())
    seconds = "  ".join(f"{part} {value:.3f}" for part, value in record["seconds_by_stage"].items())
    return (
        f"{text}\n"
        f"  fidelity  PSNR {record['psnr_db']:.2f} dB  MS-SSIM {record['ms_ssim']:.5f}"
        f"  SSIMULACRA 2 {record['ssimulacra2']:.2f}\n"
        f"  bits      {bits}\n"
        f"{_refined(record.get('refined'))}"
        f"  seconds   {seconds}"
    )


def _refined(sums: dict[str, float] | None) -> str:
    """Return the line that tells what the refinement of latents brought; nothing if there was none."""
    if sums is None:
        return ""
    bits, cost = (sums[f"{name}_after"] / sums[f"{name}_before"] - 1 for name in ("bits", "cost"))
    return (
        f"  effort    {sums['steps']:.0f} steps  bits of latents {sums['bits_before']:.0f} -> {sums['bits_after']:.0f}"
        f" ({bits:+.1%})  bits and error together {cost:+.1%}\n"
    )


def _picture_of(source: str, *, strip: bool) -> tuple[Image.Image | NDArray[np.uint8], Metadata | None]:
    """Return the picture of a file or of stdin, and its metadata.

    The pixels are mapped or streamed from the file if its format allows that; otherwise the picture is read whole. The
    metadata are None if the picture itself carries them. Raises the errors of `open_image`.
    """
    from cwic.image.files import open_image
    from cwic.image.mapped import map_pixels
    from cwic.image.streamed import stream_picture

    if not streams.is_file(source):  # a pipe or a device can be read only once
        return open_image(streams.read(source)), None
    mapped = map_pixels(source)
    if mapped is not None:
        return mapped, None
    return stream_picture(source, upright=strip) or (open_image(source), None)
