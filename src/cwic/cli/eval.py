"""`cwic eval`: measure codecs. `measure` is the command if no other one is named."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from cwic.cli import bd, figure, measure, plot

_DEFAULT = "measure"


class _MeasuresByDefault(TyperGroup):
    """A group of commands in which `cwic eval DIR` is short for `cwic eval measure DIR`."""

    # The context is click's: newer versions of typer carry click inside them, older ones import it.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_MeasuresByDefault,
    help="Measure codecs; compare and show what was measured. `cwic eval DIR` is short for `cwic eval measure DIR`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command(_DEFAULT)(measure.measure)
app.command("bd")(bd.bd)
app.command("plot")(plot.plot)
app.command("figure")(figure.figure)
