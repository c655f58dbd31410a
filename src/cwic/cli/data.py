"""`cwic data`: public sets of pictures, and shards of large sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import common, reports, several

app = typer.Typer(help="Sets of pictures for training and evaluation.", no_args_is_help=True, rich_markup_mode=None)

To = Annotated[Path, typer.Option("--to", help="Folder to write to.", show_default=False)]


@app.command("kodak")
def kodak(to: To, as_json: common.AsJson = False) -> None:
    """Download the Kodak suite: 24 pictures, 15 MB. For tests, never for training."""
    _fetch("kodak", to, as_json)


@app.command("clic")
def clic(to: To, as_json: common.AsJson = False) -> None:
    """Download the professional validation set of CLIC 2020: 41 pictures."""
    _fetch("clic", to, as_json)


@app.command("shard")
def shard(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures.", show_default=False)],
    to: To,
    megabytes: Annotated[int, typer.Option("--megabytes", help="Size of a shard.", min=1)] = 256,
    as_json: common.AsJson = False,
) -> None:
    """Pack a folder of pictures into WebDataset shards, for cwic train --data of sets larger than memory."""

    def work(_: int) -> None:
        from cwic.extras import require

        require("torch", "train")
        from cwic.training.shards import write_shards

        made = write_shards(folder, to, megabytes)
        for line in made.skipped:
            reports.say(f"skipped {line}")
        text = f"{to}: {made.pictures} pictures in {made.shards} shards, {len(made.skipped)} skipped"
        reports.report(text, {"to": str(to), **made._asdict()}, as_json=as_json)

    several.run([str(folder)], work)


def _fetch(dataset: str, to: Path, as_json: bool) -> None:
    def work(_: int) -> None:
        from cwic.training.download import fetch, sources

        files = fetch(sources(dataset), to)
        reports.report(f"{to}: {len(files)} files", {"to": str(to), "files": [str(f) for f in files]}, as_json=as_json)

    several.run([dataset], work)
