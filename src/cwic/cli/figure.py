"""`cwic eval figure`: a crop of a picture from several codecs at equal rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cwic.cli import common, reports, several
from cwic.models.catalog import DEFAULT

if TYPE_CHECKING:
    from cwic.evaluation.match import Match

_FAR = 0.1


def figure(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Picture file.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File: .png, .pdf, .svg or .html.", show_default=False)
    ],
    bpp: Annotated[
        float, typer.Option("--bpp", min=0.001, help="Bits per pixel that each codec may spend.", show_default=False)
    ],
    crop: Annotated[
        str, typer.Option("--crop", metavar="X,Y,WIDTH,HEIGHT", help="The part to show, in pixels.", show_default=False)
    ],
    names: Annotated[
        list[str], typer.Option("--codec", "-c", help="As of cwic eval; once for each codec that is shown.")
    ] = [DEFAULT],  # noqa: B006 - read only, and typer shows it
    force: common.Force = False,
) -> None:
    """Show a picture with a box, and what is in the box from each codec at about the same rate.

    Each gets the quality whose file comes closest to --bpp. Captions are `codec bpp / dB`, with the PSNR of the
    whole picture. A name that ends in .html gives one page with its pictures inside it.
    """
    from cwic.cli.job import check_target
    from cwic.evaluation.codecs.registry import open_codec
    from cwic.evaluation.figure import FORMATS, Box, draw
    from cwic.evaluation.match import match_rate
    from cwic.image.files import write_atomically
    from cwic.image.folder import read_picture
    from cwic.image.picture import Picture

    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise typer.BadParameter(f"--output {output}: expected a name that ends in {', '.join(FORMATS)}")
    try:
        box = Box(*map(int, crop.split(",")))
    except (TypeError, ValueError):
        raise typer.BadParameter(f"--crop {crop}: expected X,Y,WIDTH,HEIGHT in pixels") from None

    pictures: list[Picture] = []

    def read(_: int) -> None:
        pictures.append(read_picture(image))
        box.check(pictures[0])

    several.run([str(output)], lambda _: check_target(output, force=force, source=image))
    several.run([str(image)], read)
    matches: list[Match] = []

    def match(index: int) -> None:
        found = match_rate(open_codec(names[index]), pictures[0], bpp)
        if abs(found.bpp - bpp) > _FAR * bpp:
            reports.say(
                f"{found.codec}: {found.bpp:.3f} bpp at quality {found.quality:g} is as near as it comes to {bpp:g}"
            )
        matches.append(found)

    failure: typer.Exit | None = None
    try:
        several.run(names, match)
    except typer.Exit as stop:
        failure = stop
    if matches:
        several.run(
            [str(output)],
            lambda _: write_atomically(output, draw(pictures[0], image.name, box, matches, suffix), force=force),
        )
    if failure:
        raise failure
