"""The commands in one app. A run imports the one that it is for: all of them together take a while."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

import cwic

COMMANDS = (
    "encode",
    "decode",
    "batch",
    "info",
    "thumbnail",
    "desktop",
    "view",
    "models",
    "train",
    "export",
    "data",
    "eval",
)
_MODULES = {"batch": "cluster"}
"""Modules that are not called as their command."""


def app_of(names: Iterable[str]) -> typer.Typer:
    """Return an app with the commands of these names, in their order."""
    app = typer.Typer(
        help="cwic: a learned image codec. A photograph to a small file and back.",
        no_args_is_help=True,
        add_completion=True,
        # Plain text and plain tracebacks: rich would cost every command its import.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        module = import_module(f"cwic.cli.{_MODULES.get(name, name)}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cwic {cwic.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass
