"""The options for coding pictures, shared by `cwic encode` and every other command that encodes."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Annotated

import typer

from cwic.config import TUNES
from cwic.models.catalog import DEFAULT_TUNE

DEFAULT_EFFORT = 5


def _in_range(quality: float | None) -> float | None:
    if quality is not None and not 0 <= quality <= 100:  # written so that NaN is refused too
        raise typer.BadParameter(f"{quality:g} is not from 0 to 100")
    return quality


def _below(most: float) -> Callable[[float | None], float | None]:
    wanted = "a positive number" if most == inf else f"between 0 and {most:g}"

    def check(value: float | None) -> float | None:
        if value is not None and not 0 < value < most:
            raise typer.BadParameter(f"{value:g} is not {wanted}")
        return value

    return check


def _tile_side(side: int | None) -> int | None:
    from cwic.container.header import tile_code_of

    try:
        if side is not None:
            tile_code_of(side)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return side


Quality = Annotated[
    float | None, typer.Option("--quality", "-q", help="From 0 (small) to 100 (close); 50.", callback=_in_range)
]
TargetBytes = Annotated[
    float | None, typer.Option("--target-bytes", help="Largest file of at most that size.", callback=_below(inf))
]
TargetBpp = Annotated[
    float | None, typer.Option("--target-bpp", help="The same in bits per pixel.", callback=_below(inf))
]
TargetPsnr = Annotated[
    float | None, typer.Option("--target-psnr", help="Smallest file of at least that PSNR, dB.", callback=_below(inf))
]
TargetMsSsim = Annotated[
    float | None, typer.Option("--target-ms-ssim", help="The same with that MS-SSIM.", callback=_below(1))
]
TargetSsimulacra2 = Annotated[
    float | None,
    typer.Option("--target-ssimulacra2", help="The same with so many points: 90, 70, 50.", callback=_below(100)),
]
Effort = Annotated[int, typer.Option("--effort", "-e", min=1, max=9, help="1 (fastest) to 9 (smallest files).")]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Size s (fast) or m (small files), a name, or a weight file.  [default: s]"),
]
Tune = Annotated[
    str | None,
    typer.Option("--tune", help=f"What it is to please: {', '.join(TUNES)}.  [default: {DEFAULT_TUNE}]"),
]
Strip = Annotated[bool, typer.Option("--strip", help="Leave ICC profile, EXIF and XMP out.")]
Tile = Annotated[int | None, typer.Option("--tile", help="Side of tiles: 128, 256, 512 ...", callback=_tile_side)]
Robust = Annotated[bool, typer.Option("--robust", help="Tiles so small that damage leaves most of it.")]


def check(*wishes: float | None, tune: str | None) -> None:
    """Check that at most one quality or target is given, and that the tune exists.

    Args:
        *wishes: the quality and the targets; None if not given.
        tune: the name of a tune; None if not given.

    Raises:
        typer.BadParameter: they are not valid (usage, exit code 2).
    """
    if sum(wish is not None for wish in wishes) > 1:
        raise typer.BadParameter("a quality or one target can be given, not several")
    if tune not in (None, *TUNES):
        raise typer.BadParameter(f"--tune {tune}: there are {', '.join(TUNES)}")
