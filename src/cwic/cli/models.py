"""`cwic models`: the models in the package, and what they cost."""

from __future__ import annotations

from typing import Annotated

import typer

from cwic.cli import batch

app = typer.Typer(help="The models in the package.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_models(as_json: batch.AsJson = False) -> None:
    """Name the models."""
    from cwic.models.catalog import CATALOG

    for name in CATALOG:
        batch.report(name, {"model": name}, as_json=as_json)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.", show_default=False)],
    as_json: batch.AsJson = False,
) -> None:
    """Show parameters and multiply-accumulates (MAC) per pixel of every part of a model."""

    def work(_: int) -> None:
        from cwic.models.catalog import summary

        rows = summary(name)
        if not as_json:
            typer.echo(f"{'part':<28}{'parameters':>14}{'MAC/pixel':>14}")
        for row in rows:
            text = f"{row.part:<28}{row.parameters:>14,}{row.mac_per_pixel:>14,.0f}"
            batch.report(text, row._asdict(), as_json=as_json)

    batch.run([name], work)
