"""`cwic eval plot`: rate-distortion curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cwic.cli import common, several

if TYPE_CHECKING:
    from cwic.evaluation.plot import Line


def plot(
    summaries: Annotated[
        list[str], typer.Argument(metavar="SUMMARY...", help="JSON files of cwic eval.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File: .svg, .pdf or .png.", show_default=False)],
    title: Annotated[str, typer.Option("--title", help="Text above the curves.", show_default=False)] = "",
    max_bpp: Annotated[
        float | None, typer.Option("--max-bpp", min=0.01, help="Where the rate axis ends.", show_default=False)
    ] = None,
    force: common.Force = False,
) -> None:
    """Draw PSNR, MS-SSIM and SSIMULACRA 2 over bits per pixel, a curve for each summary, the first one thicker."""
    from cwic.cli.job import check_target
    from cwic.evaluation.plot import FORMATS, draw, read_line
    from cwic.image.files import write_atomically

    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise typer.BadParameter(f"--output {output}: expected a name that ends in {', '.join(FORMATS)}")
    several.run([str(output)], lambda _: check_target(output, force=force))

    lines: list[Line] = []
    failure: typer.Exit | None = None
    try:
        several.run(summaries, lambda index: lines.append(read_line(summaries[index])))
    except typer.Exit as stop:
        failure = stop
    if lines:
        several.run(
            [str(output)],
            lambda _: write_atomically(output, draw(lines, suffix, title=title, max_bpp=max_bpp), force=force),
        )
    if failure:
        raise failure
