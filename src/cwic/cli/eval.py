"""`cwic eval`: rate, distortion and time of codecs over a folder of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cwic.cli import batch
from cwic.models.catalog import DEFAULT

if TYPE_CHECKING:
    from cwic.evaluation.codecs import Codec
    from cwic.evaluation.measure import Point, Row

_HEAD = f"{'codec':<12}{'quality':>8}{'bpp':>10}{'PSNR dB':>10}{'MS-SSIM':>10}{'encode s':>10}{'decode s':>10}"


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results of each codec.", show_default=False)],
    names: Annotated[
        list[str], typer.Option("--codec", "-c", help="A model, jpeg, jpeg-444, webp, avif or avif-psnr.")
    ] = [DEFAULT],  # noqa: B006 - read only, and typer shows it
    quality: Annotated[
        str, typer.Option("--quality", "-q", help="START:STOP:STEP, numbers with commas, or both.")
    ] = "5:95:10",
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Measure codecs: bits per pixel, PSNR, MS-SSIM and seconds, as means over the pictures of a folder.

    OUT/CODEC.tsv gets a row for every picture, OUT/CODEC.json the means. A picture that fails with one codec
    counts for none, so that all curves are over the same pictures.
    """
    qualities = _qualities(quality)
    names = list(dict.fromkeys(names))

    from cwic.evaluation.measure import environment, means, measure_picture
    from cwic.image.folder import read_picture

    codecs, files = _prepare(names, qualities, folder, out, force=force)
    images = [file.relative_to(folder).as_posix() for file in files]
    rows: dict[str, list[Row]] = {name: [] for name in names}
    measured: list[str] = []

    def work(index: int) -> None:
        start = perf_counter()
        picture = read_picture(files[index])
        found = [measure_picture(codec, qualities, images[index], picture) for codec in codecs]
        for codec, its_rows in zip(codecs, found, strict=True):
            rows[codec.name].extend(its_rows)
        measured.append(images[index])
        batch.say(f"{index + 1}/{len(files)}  {images[index]}  {perf_counter() - start:.1f} s")

    failure: typer.Exit | None = None
    try:
        batch.run([str(file) for file in files], work)
    except typer.Exit as stop:
        failure = stop
    if measured:
        meta = {
            "dataset": folder.resolve().name,
            "images": len(measured),
            "failed": [image for image in images if image not in measured],
            **environment(),
        }
        points = {name: means(its_rows) for name, its_rows in rows.items()}
        # Files before the table, so that a closed pipe costs no results; and the table even on a full disk.
        try:
            batch.run(names, lambda i: _write(out, codecs[i], rows[names[i]], points[names[i]], meta, force=force))
        except typer.Exit as stop:
            failure = stop
        if not as_json:
            typer.echo(_HEAD)
        for name in names:
            for point in points[name]:
                _report(name, point, as_json=as_json)
    if failure:
        raise failure


def _prepare(
    names: Sequence[str], qualities: Sequence[float], folder: Path, out: Path, *, force: bool
) -> tuple[list[Codec], list[Path]]:
    """The codecs and the pictures. Whatever can fail without a measurement fails here, not after hours of them."""
    from cwic.evaluation.codecs import open_codec
    from cwic.extras import require
    from cwic.image.files import check_output
    from cwic.image.folder import picture_files

    codecs: list[Codec] = []
    files: list[Path] = []

    def open_and_check(index: int) -> None:
        codecs.append(open_codec(names[index]))
        for path in _outputs(out, names[index]):
            check_output(path, force=force)

    def list_and_create(_: int) -> None:
        require("pytorch_msssim", "eval")
        files.extend(picture_files(folder))
        out.mkdir(parents=True, exist_ok=True)

    batch.run(names, open_and_check)
    for codec in codecs:
        for quality in qualities:
            if round(quality, codec.decimals) != quality:
                raise typer.BadParameter(f"{codec.name} has no quality {quality:g}")
    batch.run([str(folder)], list_and_create)
    return codecs, files


def _outputs(out: Path, name: str) -> tuple[Path, Path]:
    return out / f"{name}.tsv", out / f"{name}.json"


def _write(
    out: Path, codec: Codec, rows: Sequence[Row], points: Sequence[Point], meta: dict[str, Any], *, force: bool
) -> None:
    from cwic.evaluation.measure import to_summary, to_tsv
    from cwic.image.files import write_atomically

    table, summary = _outputs(out, codec.name)
    write_atomically(table, to_tsv(rows), force=force)
    write_atomically(summary, to_summary(codec, points, meta), force=force)


def _report(name: str, point: Point, *, as_json: bool) -> None:
    batch.report(
        f"{name:<12}{point.quality:>8g}{point.bpp:>10.4f}{point.psnr_rgb_db:>10.3f}{point.ms_ssim_rgb:>10.5f}"
        f"{point.encode_s:>10.4f}{point.decode_s:>10.4f}",
        {"codec": name, "quality": point.quality, **point.results()},
        as_json=as_json,
    )


def _qualities(text: str) -> list[float]:
    """`5:95:10` or `5,15,50` or both with commas, as rising numbers without repeats. The stop is included."""
    values: set[Decimal] = set()
    try:
        for part in text.split(","):
            start, stop, step = map(Decimal, part.split(":") if ":" in part else (part, part, "1"))
            # The finest step of any codec is a tenth; a finer one would fill the memory with numbers.
            if not (0 <= start <= stop <= 100 and step >= Decimal("0.1")):
                raise ValueError
            values.update(start + step * i for i in range(int((stop - start) / step) + 1))
    except (ArithmeticError, ValueError):
        raise typer.BadParameter(
            f"--quality {text}: expected START:STOP:STEP or numbers with commas, from 0 to 100"
        ) from None
    return [float(value) for value in sorted(values)]
