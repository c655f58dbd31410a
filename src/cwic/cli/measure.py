"""`cwic eval DIR`: rate, distortion and time of codecs over a folder of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cwic.cli import bar, common, reports
from cwic.errors import CwicError
from cwic.models.catalog import DEFAULT
from cwic.progress import report

if TYPE_CHECKING:
    from cwic.evaluation.codecs.codec import Codec
    from cwic.evaluation.run import Outcome, Table
    from cwic.evaluation.summary import Point

T = TypeVar("T")

_HEAD = f"{'codec':<16}{'quality':>8}{'bpp':>10}{'PSNR dB':>10}{'MS-SSIM':>10}{'encode s':>10}{'decode s':>10}"
_TITLES = {"ssimulacra2": "SSIMULACRA2", "butteraugli": "Butteraugli"}


def measure(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results of each codec.", show_default=False)],
    names: Annotated[
        list[str],
        typer.Option(
            "--codec",
            "-c",
            help="A model or WEIGHTS.safetensors, with @ and an effort if not 5; jpeg, jpeg-444, jpeg2000, webp, avif, "
            "avif-psnr, avif-s4-psnr, jpegxl, heic or heic-psnr; PROGRAM.toml for a program with a command line.",
        ),
    ] = [DEFAULT],  # noqa: B006 - read only, and typer shows it
    quality: Annotated[
        str | None,
        typer.Option(
            "--quality",
            "-q",
            help="START:STOP:STEP, numbers with commas, or both. Each codec has its own ten or more where left out.",
            show_default=False,
        ),
    ] = None,
    ssimulacra2: Annotated[bool, typer.Option("--ssimulacra2", help="Measure SSIMULACRA 2 too.")] = False,
    butteraugli: Annotated[
        bool, typer.Option("--butteraugli", help="Measure Butteraugli too, by libjxl's butteraugli_main.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes. With more than one, times are not to be compared.")
    ] = 1,
    force: Annotated[
        bool,
        typer.Option("--force", "-f", help="Drop rows of other settings, qualities or pictures from existing results."),
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Measure codecs: bits per pixel, PSNR, MS-SSIM and seconds, as means over the pictures of a folder.

    OUT/CODEC.tsv gets a row for every picture and quality, OUT/CODEC.json the means. A run goes on where an earlier
    one stopped: what is there already, of the same codec, settings, versions, quality and picture, is not measured
    again (delete the files to do so), unless it lacks a measure that is asked for. A picture that fails is left out
    of the means of its codec.
    """
    qualities = None if quality is None else _qualities(quality)
    asked = {"ssimulacra2": ssimulacra2, "butteraugli": butteraugli}
    further = tuple(name for name, wanted in asked.items() if wanted)

    from cwic.evaluation.run import measure as measured
    from cwic.evaluation.summary import environment

    tally = _Tally()
    meta = tally.attempt("cwic eval", lambda: {"dataset": folder.resolve().name, **environment(jobs)})
    if meta is None:
        tally.end()
        return
    codecs = _open(dict.fromkeys(names), qualities, further, tally)
    files = _pictures(folder, tally) if codecs else {}
    tables = _tables(codecs, qualities, files, folder, out, further=further, force=force, tally=tally)
    tasks = [task for table in tables.values() for task in table.tasks(files)]
    place = {image: index for index, image in enumerate(files)}
    tasks.sort(key=lambda task: place[task.image])  # by picture: the codecs take turns
    with bar.shown("eval"):
        for done, outcome in enumerate(measured(tasks, jobs), 1):
            _say_progress(outcome, done, len(tasks))
            if outcome.error is not None:
                tally.take(str(folder / outcome.task.image), outcome.error)
            else:
                table = tables[outcome.task.codec]
                tally.attempt(table.codec.name, partial(table.add, outcome.rows))

    points = {table.codec.name: table.close() for table in tables.values()}
    # Files are written before lines are printed, so that a closed pipe loses no results; a full disk stops no lines.
    for table in tables.values():
        tally.attempt(table.codec.name, partial(table.save, points[table.codec.name], meta))
    if not as_json and any(points.values()):
        typer.echo(_HEAD + "".join(f"{_TITLES[name]:>13}" for name in further))
    for name, its_points in points.items():
        for point in its_points:
            _report(name, point, as_json=as_json)
    tally.end()


class _Tally:
    """The failures of a run: each is printed when it happens, and the worst decides the exit code."""

    def __init__(self) -> None:
        self.worst = 0

    def take(self, name: str, error: BaseException) -> None:
        """Report a failure."""
        self.worst = max(self.worst, reports.complain(name, error))

    def attempt(self, name: str, work: Callable[[], T]) -> T | None:
        """Return the result of the work; None if it fails. A failure is reported under `name`."""
        try:
            return work()
        except (CwicError, OSError) as error:
            self.take(name, error)
        except BaseException as error:  # a codec, a reader or an extension may raise anything
            if reports.ends_run(error):
                raise
            self.take(name, error)
        return None

    def end(self) -> None:
        """Exit with the highest code of the failures, if there were any."""
        if self.worst:
            raise typer.Exit(self.worst)


def _open(
    names: Iterable[str], qualities: Sequence[float] | None, further: Sequence[str], tally: _Tally
) -> dict[str, Codec]:
    """Return the codecs that can be opened, by the names they were asked for.

    Args:
        names: the names of the codecs.
        qualities: the qualities asked for; None for those of each codec.
        further: the measures asked for beside PSNR and MS-SSIM.
        tally: takes the failures.

    Raises:
        typer.BadParameter: a codec lacks a quality, or two codecs have one name.
    """
    from cwic.evaluation.codecs.registry import open_codec
    from cwic.evaluation.metrics import ready

    if tally.attempt("cwic eval", partial(ready, further)) is None:
        return {}
    opened = {name: tally.attempt(name, partial(open_codec, name)) for name in names}
    codecs = {name: codec for name, codec in opened.items() if codec is not None}
    for name, codec in codecs.items():
        for quality in qualities or ():
            if quality not in codec.scale:
                raise typer.BadParameter(f"{codec.name} has no quality {quality:g}")
        if sum(codec.name == other.name for other in codecs.values()) > 1:
            raise typer.BadParameter(f"two codecs would be called {codec.name}: rename the file {name}")
    return codecs


def _pictures(folder: Path, tally: _Tally) -> dict[str, Path]:
    """Return the picture files by their names in the rows: white space and undecodable bytes are made harmless."""
    from cwic.image.folder import picture_files

    files = tally.attempt(str(folder), partial(picture_files, folder)) or []
    return {
        " ".join(file.relative_to(folder).as_posix().encode(errors="backslashreplace").decode().split()): file
        for file in files
    }


def _tables(
    codecs: dict[str, Codec],
    qualities: Sequence[float] | None,
    files: dict[str, Path],
    folder: Path,
    out: Path,
    *,
    further: tuple[str, ...],
    force: bool,
    tally: _Tally,
) -> dict[str, Table]:
    """Return the table of earlier results of each codec, by the name the codec was asked for."""
    from cwic.evaluation.run import Table, fingerprints

    pictures, unreadable = fingerprints(files)
    for image, error in unreadable.items():
        tally.take(str(folder / image), error)
    tables: dict[str, Table] = {}
    for name, codec in codecs.items() if pictures else ():
        table = Table(codec, name, out, qualities or codec.qualities, pictures, unreadable.keys(), further)
        if tally.attempt(codec.name, partial(_load, table, force=force)):
            tables[name] = table
    return tables


def _load(table: Table, *, force: bool) -> bool:
    table.out.mkdir(parents=True, exist_ok=True)
    table.load(force=force)
    return True


def _say_progress(outcome: Outcome, done: int, total: int) -> None:
    """Report that a picture is measured: with the bar on a terminal, otherwise in a line."""
    if bar.is_possible():
        report("measurements", done, total)
    else:
        reports.say(f"{done}/{total}  {outcome.task.image}  {outcome.task.codec}")


def _report(name: str, point: Point, *, as_json: bool) -> None:
    line = (
        f"{name:<16}{point.quality:>8g}{point.bpp:>10.4f}{point.psnr_rgb_db:>10.3f}{point.ms_ssim_rgb:>10.5f}"
        f"{point.encode_s:>10.4f}{point.decode_s:>10.4f}"
    )
    line += "".join(f"{value:>13.2f}" for value in (point.ssimulacra2, point.butteraugli) if value is not None)
    reports.report(line, {"codec": name, "quality": point.quality, **point.results()}, as_json=as_json)


def _qualities(text: str) -> list[float]:
    """Return the qualities of a text such as `5:95:10`, `5,15,50` or both with commas.

    They rise and do not repeat. A stop is included. Raises typer.BadParameter.
    """
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
