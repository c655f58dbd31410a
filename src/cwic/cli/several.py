"""Do work for several names, where a failure is reported and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from cwic.cli.reports import complain, ends_run


def run(names: Sequence[str], work: Callable[[int], None]) -> None:
    """Do `work(index)` for every name. A failure is reported and does not stop the others.

    Raises:
        typer.Exit: there were failures; its code is the highest among them.
    """
    worst = 0
    for index, name in enumerate(names):
        try:
            work(index)
        except BaseException as error:  # extensions raise kinds of their own, which are no Exception
            if ends_run(error):
                raise
            worst = max(worst, complain(name, error))
    if worst:
        raise typer.Exit(worst)
