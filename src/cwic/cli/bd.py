"""`cwic eval bd`: the difference of bits between codecs at equal quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cwic.cli import common, several
from cwic.records import to_json

if TYPE_CHECKING:
    from cwic.evaluation.bd import Bd


def bd(
    reference: Annotated[str, typer.Argument(metavar="REF", help="Summary to compare with.", show_default=False)],
    tests: Annotated[list[str], typer.Argument(metavar="TEST...", help="Summaries to compare.", show_default=False)],
    metric: Annotated[
        str, typer.Option("--metric", help="psnr; ms-ssim, as -10 log10(1 - x) dB; ssimulacra2 or butteraugli.")
    ] = "psnr",
    over: Annotated[
        str | None,
        typer.Option("--over", metavar="LOW:HIGH", help="BD-rate over these qualities only.", show_default=False),
    ] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Show BD-rates, the bits that curves need beside a reference at equal quality, and BD-PSNRs.

    The summaries are the JSON files of cwic eval, or published ones of the same shape. BD-rate is in percent,
    negative where fewer bits are needed; BD-PSNR (or its like) is at equal rate, positive where better. Both are
    means over what both curves cover, which is shown beside them: figures over different ranges do not rank codecs,
    and --over gives all the same one.
    """
    interval = None if over is None else _interval(over)

    from cwic.evaluation.bd import Curve, read_curve
    from cwic.evaluation.bd import bd as compare
    from cwic.evaluation.summary import METRICS
    from cwic.evaluation.table import aligned, markdown

    if metric not in METRICS:
        raise typer.BadParameter(f"--metric {metric}: there are {', '.join(METRICS)}")
    _, title, unit, _ = METRICS[metric]

    curves: list[Curve] = []
    several.run([reference], lambda _: curves.append(read_curve(reference, metric)))
    found: list[tuple[str, Bd]] = []
    failure: typer.Exit | None = None
    try:
        several.run(
            tests, lambda i: found.append((tests[i], compare(curves[0], read_curve(tests[i], metric), interval)))
        )
    except typer.Exit as stop:
        failure = stop

    if as_json:
        for test, figures in found:
            record: dict[str, Any] = {"reference": reference, "test": test, "metric": metric, **figures._asdict()}
            typer.echo(to_json(record))
    elif found:
        head = ["BD-rate %", f"over, {unit}", f"BD-{title} {unit}", "over, bpp", f"test (reference: {reference})"]
        table = markdown if as_markdown else aligned
        typer.echo(table(head, [_cells(test, figures) for test, figures in found]))
    if failure:
        raise failure


def _cells(test: str, figures: Bd) -> list[str]:
    return [
        f"{figures.rate_percent:+.2f}",
        f"{figures.low:.2f} to {figures.high:.2f}",
        "–" if figures.gain is None else f"{figures.gain:+.3f}",
        "–" if figures.gain is None else f"{figures.low_bpp:.3f} to {figures.high_bpp:.3f}",
        test,
    ]


def _interval(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(":"))
        if not low < high:
            raise ValueError
    except ValueError:
        raise typer.BadParameter(f"--over {text}: expected LOW:HIGH, as 31:36") from None
    return low, high
