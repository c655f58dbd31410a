"""The `cwic` command.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 run-time error, 2 usage, 3 damaged file, 4 model
missing or different, 5 target not reachable, 6 output exists, 130 interrupted. A run over several files exits with the
highest code among them. An error that is none of cwic's own is reported in one line too, with code 1.

Numpy and Pillow are imported inside the commands that need them, so that `cwic info` answers at once. The same holds
for torch, which only `train`, `export`, `data shard`, `models import` and `models show` without weights need.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

import cwic
from cwic.cli import cluster, data, decode, desktop, encode, eval, export, info, models, thumbnail, train, view

app = typer.Typer(
    help="cwic: a learned image codec. A photograph to a small file and back.",
    no_args_is_help=True,
    add_completion=True,
    # Plain text and plain tracebacks: rich would cost every command its import.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("encode")(encode.encode)
app.command("decode")(decode.decode)
app.add_typer(cluster.app, name="batch")
app.command("info")(info.info)
app.command("thumbnail")(thumbnail.thumbnail)
app.add_typer(desktop.app, name="desktop")
app.command("view")(view.view)
app.add_typer(models.app, name="models")
app.command("train")(train.train)
app.command("export")(export.export)
app.add_typer(data.app, name="data")
app.add_typer(eval.app, name="eval")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cwic {cwic.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line, and exit with its code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal cannot show is printed with escapes instead of ending the run.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="cwic")
    except KeyboardInterrupt:
        sys.exit(130)
