"""`cwic thumbnail`: write a small PNG of a .cwic file, for file managers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import common, reports, several, streams
from cwic.cli.job import check_target


def thumbnail(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A .cwic file.", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="PNG to write.", show_default=False)],
    size: Annotated[int, typer.Option("--size", "-s", min=1, max=4096, help="Longest side, in pixels.")] = 256,
    force: common.Force = False,
) -> None:
    """Write a small PNG of a file, upright and in sRGB: at most --size pixels a side, decoded small where it can be."""

    def work(_: int) -> None:
        check_target(target, force=force, source=source)

        from cwic.image.losses import losses_to
        from cwic.thumbnail import thumbnail_of

        with losses_to(lambda text: reports.say(reports.complaint(source, " ".join(text.split()))), UserWarning):
            data = thumbnail_of(streams.read(source), size)
        streams.write(str(target), data, force=force)

    several.run([source], work)
