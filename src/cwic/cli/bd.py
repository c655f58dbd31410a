"""`cwic bd`: how many more bits a codec needs than another."""

from __future__ import annotations

from typing import Annotated

import typer

from cwic.cli import batch


def bd(
    reference: Annotated[str, typer.Argument(metavar="REF", help="Summary to compare with.", show_default=False)],
    tests: Annotated[list[str], typer.Argument(metavar="TEST...", help="Summaries to compare.", show_default=False)],
    as_json: batch.AsJson = False,
) -> None:
    """Show BD-rates: the bits that curves need beside a reference, at equal PSNR.

    The summaries are the JSON files of cwic eval. In percent, negative where fewer are needed, as a mean over
    the PSNRs that both curves cover.
    """
    from cwic.evaluation.bd import Curve, bd_rate, read_curve

    curves: list[Curve] = []
    batch.run([reference], lambda _: curves.append(read_curve(reference)))

    def work(index: int) -> None:
        found = bd_rate(curves[0], read_curve(tests[index]))
        batch.report(
            f"{found.percent:>+10.2f}{found.low:>9.2f} to {found.high:.2f}  {tests[index]}",
            {"reference": reference, "test": tests[index], **found._asdict()},
            as_json=as_json,
        )

    if not as_json:
        typer.echo(f"{'BD-rate %':>10}{'overlap, dB':>18}  test (reference: {reference})")
    batch.run(tests, work)
