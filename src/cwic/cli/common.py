"""The options that commands share, besides those for coding pictures."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, or - for stdin.", show_default=False)]
Sources = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="Files, folders, or - for stdin.", show_default=False),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", help="File, folder (a new one ends in /), or - for stdout.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace existing outputs.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        help="Files to work on at a time; of one picture, tiles. As many as processors.",
        min=1,
        show_default=False,
    ),
]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave whole outputs as they are: goes on with a stopped run.")
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="PATTERN", help="Of a folder, only files like '*.tif'.", show_default=False),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Of a folder, nothing like that.", show_default=False),
]


class Device(str, Enum):
    """The device that runs the networks."""

    cpu = "cpu"
    cuda = "cuda"


OnDevice = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="Accept any size: for files and pictures that you trust.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as one JSON object per line.")]


def check_skip(*, skip_existing: bool, force: bool) -> None:
    """Refuse both `--skip-existing` and `--force`. Raises typer.BadParameter (usage, exit code 2)."""
    if skip_existing and force:
        raise typer.BadParameter("--skip-existing keeps existing outputs and --force replaces them: one of the two")
