"""The work of `cwic decode` on one file: read, decode, and code the picture in the format of its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cwic.cli import lossy, streams
from cwic.cli.job import PIPE, Job, UsageError, check_job, shown
from cwic.cli.outcome import Made
from cwic.cli.timing import Seconds, Stopwatch
from cwic.cli.whole import is_whole_picture
from cwic.container.header import MAX_BYTES, Header
from cwic.errors import FormatError
from cwic.image.files import format_of_suffix


@dataclass
class Decoding:
    """The work of `cwic decode` on one file, with the options of the command. It can be sent to another process."""

    model: str | None
    area: tuple[int, int, int, int] | None
    scale: int
    recover: bool
    output_quality: int | None
    tiles_at_a_time: int
    device: str
    no_limits: bool
    force: bool
    skip_existing: bool
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __call__(self, job: Job) -> Made:
        """Return the decoded picture, coded in the format of its name, with its report."""
        limits = streams.limits(self.no_limits)
        is_there = self.skip_existing and job.clash is None and Path(job.target).is_file()
        check_job(job, force=self.force or is_there)
        with streams.data_of(job.source, mapped=self.area is not None or is_there) as source:
            if is_there:
                header, _ = Header.unpack(source[:MAX_BYTES], limits)
                size = self._size(header)
                if is_whole_picture(Path(job.target), size):
                    return Made({"input": job.source, "output": job.target, "skipped": True})

            import cwic

            self.watch.start()
            lost: list[str] = []
            options: dict[str, Any] = {
                "model": self.model,
                "jobs": self.tiles_at_a_time,
                "device": self.device,
                "limits": limits,
            }
            if self.recover:
                image, lost = cwic.recover(source, **options)
            else:
                image = cwic.decode(source, crop=self.area, scale=self.scale, **options)
            seconds = self.watch.stop(bytes(source[:MAX_BYTES]))

        from cwic.image.save import code_as

        format = format_of(job.target)
        coded = code_as(image, format, lossy.quality_options(format, self.output_quality))
        width, height = image.size
        record = {
            "input": job.source,
            "output": job.target,
            "width": width,
            "height": height,
            "mode": image.mode,
            **seconds.record,
            "lost": lost,
        }
        notes = []
        if loss := lossy.loss_of(format, self.output_quality):
            notes.append(f"cwic: {shown(job.target)}: {loss}")
        if coded.lost:
            turned = "; the pixels are turned upright" if coded.is_turned else ""
            what = " and ".join(coded.lost)
            notes.append(f"cwic: {shown(job.target)}: {format} cannot hold {what}: left out{turned}")
        problem = None
        if lost:
            problem = FormatError(f"damaged, and the rest is in {job.target}; lost:\n  " + "\n  ".join(lost))
        return Made(record, coded.data, is_there, tuple(notes), problem)

    def _size(self, header: Header) -> tuple[int, int]:
        """Return width and height, in pixels, of the picture that is decoded from a file."""
        from cwic.tiling.grid import Box

        left, top, width, height = self.area or (0, 0, header.width, header.height)
        made = Box(top, left, top + height, left + width).shrunk(self.scale)
        return made.width, made.height


def line(record: dict[str, Any]) -> str:
    """Return the line that reports a picture."""
    job = Job(record["input"], record["output"])
    return f"{job}  {record['width']}x{record['height']}  {record['mode']}  {Seconds.of(record)}"


def format_of(target: str) -> str:
    """Return Pillow's name of the format that a file name asks for: PNG for a pipe or a device.

    Raises UsageError if there is none.
    """
    if target == PIPE or (Path(target).exists() and not Path(target).is_file()):
        return "PNG"
    suffix = Path(target).suffix.lower()

    from PIL import Image

    format = format_of_suffix(suffix)
    if format is None or format not in Image.SAVE:
        raise UsageError(f"{shown(target)}: no format to write pictures in has the suffix '{suffix}'")
    return format
