"""`cwic models`: the models there are, what they cost, and others' checkpoints turned into models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import batch
from cwic.errors import InputError

app = typer.Typer(
    help="Models: what there is, what it costs, checkpoints of others.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_models(as_json: batch.AsJson = False) -> None:
    """Name the models whose weights are here: those of the package, and those in the folders of CWIC_MODELS.

    Then the architectures without weights, which cwic models show and cwic train know.
    """
    from cwic.models.catalog import CATALOG, names

    for name in dict.fromkeys([*names(), *CATALOG]):
        here = name in names()
        about = CATALOG[name].description if name in CATALOG else "your own"
        line = f"{name:<24}{'' if here else 'no weights; '}{about}"
        batch.report(line, {"model": name, "weights": here, "description": about}, as_json=as_json)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model or path of a weight file.", show_default=False)],
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


@app.command("import")
def import_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="As the published training code writes it.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Weight file to write: NAME.safetensors.", show_default=False)
    ],
    force: batch.Force = False,
    as_json: batch.AsJson = False,
) -> None:
    """Turn a checkpoint of the published network (Mudgal & Liu 2024) into a weight file that every command takes."""
    from cwic.models.catalog import SUFFIX

    if output.suffix != SUFFIX:
        raise typer.BadParameter(f"the name of a weight file ends in {SUFFIX}, and {output} does not")

    def work(_: int) -> None:
        from cwic.image.files import check_output

        check_output(output, force=force, source=checkpoint)
        if not output.absolute().parent.is_dir():
            raise InputError(f"the folder of {output} does not exist")

        from cwic.lab.official import load_official
        from cwic.models.CWAMEXPORT import export
        from cwic.models.weights import model_id, save_weights

        exported = export(load_official(checkpoint))
        save_weights(output, exported, output.stem)
        found = model_id(exported).hex()
        batch.report(
            f"{checkpoint} -> {output}  N = {exported.config.N}  model {found}",
            {"input": str(checkpoint), "output": str(output), "N": exported.config.N, "model_id": found},
            as_json=as_json,
        )

    batch.run([str(checkpoint)], work)
