"""`cwic models`: list models, show their cost, import checkpoints, space qualities, fit small pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cwic.cli import common, reports, several
from cwic.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cwic.config import ModelConfig
    from cwic.models.base import CodingModel, Floats
    from cwic.models.registry import PartSummary

app = typer.Typer(
    help="Models: what there is, what it costs, checkpoints of others.", no_args_is_help=True, rich_markup_mode=None
)


FITTED_SIDE = 384
"""Pixels a side of the middles of pictures that are coded."""


@app.command("list")
def list_models(as_json: common.AsJson = False) -> None:
    """Name the models whose weights are here: those of the package, and those in the folders of CWIC_MODELS.

    Then the architectures without weights, which cwic models show and cwic train know.
    """
    from cwic.models.catalog import CATALOG, names

    for name in dict.fromkeys([*names(), *CATALOG]):
        here = name in names()
        about = CATALOG[name].description if name in CATALOG else "your own"
        line = f"{name:<24}{'' if here else 'no weights; '}{about}"
        reports.report(line, {"model": name, "weights": here, "description": about}, as_json=as_json)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model or path of a weight file.", show_default=False)],
    as_json: common.AsJson = False,
) -> None:
    """Show parameters and multiply-accumulates (MAC) per pixel of every part of a model."""

    def work(_: int) -> None:
        rows = _parts(name)
        if not as_json:
            typer.echo(f"{'part':<28}{'parameters':>14}{'MAC/pixel':>14}")
        for row in rows:
            text = f"{row.part:<28}{row.parameters:>14,}{row.mac_per_pixel:>14,.0f}"
            reports.report(text, row._asdict(), as_json=as_json)

    several.run([name], work)


@app.command("import")
def import_checkpoint(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="Of the published training code, or weights of cwic 0.1.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Weight file to write: NAME.safetensors.", show_default=False)
    ],
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Turn a checkpoint of the published network (Mudgal & Liu 2024) into a weight file that every command takes.

    Or a weight file of cwic 0.1, NAME.safetensors: the model keeps its id, and reads the files that it wrote.
    """
    _check_suffix(output)

    def work(_: int) -> None:
        from cwic.cli.job import check_target
        from cwic.extras import require

        require("torch", "train")
        check_target(output, force=force, source=checkpoint)

        from cwic.models.weights import model_id, save_weights

        model = _imported(checkpoint)
        save_weights(output, model, output.stem, _cost(model.data.config))
        family, found = model.data.config.family, model_id(model).hex()
        reports.report(
            f"{checkpoint} -> {output}  family {family}  model {found}",
            {"input": str(checkpoint), "output": str(output), "family": family, "model_id": found},
            as_json=as_json,
        )

    several.run([str(checkpoint)], work)


@app.command("preview")
def fit_small_pictures(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model or path of a weight file.", show_default=False)],
    folder: Annotated[Path, typer.Argument(metavar="PICTURES", help="Folder of photographs.", show_default=False)],
    pictures: Annotated[int, typer.Option(min=1, help="The number of pictures that are used.")] = 40,
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Fit the map that makes small pictures (cwic decode --scale), and write it beside the weight file.

    The middles of pictures are coded, 384 pixels square. Which pictures is random, but always the same. Smaller ones
    are passed over.
    """

    def work(_: int) -> None:
        from cwic.cli.job import check_target
        from cwic.models.catalog import open_model, weights_path
        from cwic.models.cwic import CwicModel
        from cwic.models.preview import SUFFIX, fit_preview, write_preview

        weights = weights_path(name)
        target = weights.with_suffix(SUFFIX)
        check_target(target, force=force)
        model = open_model(name)
        if not isinstance(model, CwicModel):
            raise InputError(f"{name} makes small pictures from whole ones: there is nothing to fit")
        used = _middles(folder, pictures)
        write_preview(weights, fit_preview(model, used))
        reports.report(
            f"{name}: {len(used)} pictures -> {target}",
            {"model": name, "pictures": len(used), "output": str(target)},
            as_json=as_json,
        )

    several.run([name], work)


@app.command("space")
def space_qualities(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model or path of a weight file.", show_default=False)],
    folder: Annotated[Path, typer.Argument(metavar="PICTURES", help="Folder of photographs.", show_default=False)],
    bits_of: Annotated[
        str, typer.Option("--bits-of", help="Model whose bytes each quality shall match.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Weight file to write: OTHER.safetensors.", show_default=False)
    ],
    pictures: Annotated[int, typer.Option(min=1, help="The number of pictures that are used.")] = 24,
    shared: Annotated[
        bool, typer.Option("--shared", help="Write what differs alone: NAME's weight file must stay beside it.")
    ] = False,
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Space the qualities of a model anew, so that each has about the bytes that it has with another model.

    Nothing is trained. The result is another model: it reads no files of NAME. The middles of pictures are coded, as
    for cwic models preview.
    """
    _check_suffix(output)

    def work(_: int) -> None:
        from cwic.cli.job import check_target
        from cwic.models.catalog import describe, open_model, weights_path
        from cwic.models.spacing import check_levels, coded_bits, space_levels
        from cwic.models.weights import check_base, model_id, save_weights

        weights = weights_path(name)
        check_target(output, force=force, source=weights)
        if shared:
            check_base(output, weights)
        model, other = open_model(name), open_model(bits_of)
        check_levels(model)
        used = _middles(folder, pictures)
        spaced, positions = space_levels(model, coded_bits(other, used), used)
        save_weights(output, spaced, output.stem, describe(name).parts, base=weights if shared else None)
        found = model_id(spaced).hex()
        knots = " ".join(f"{position:.2f}" for position in positions)
        reports.report(
            f"{name} -> {output}  model {found}  knots at positions {knots}",
            {"model": name, "output": str(output), "model_id": found, "positions": positions},
            as_json=as_json,
        )

    several.run([name], work)


def _check_suffix(output: Path) -> None:
    """Check that `output` can be the name of a weight file. Raises `typer.BadParameter`."""
    from cwic.models.catalog import SUFFIX

    if output.suffix != SUFFIX:
        raise typer.BadParameter(f"the name of a weight file ends in {SUFFIX}, and {output} does not")


def _middles(folder: Path, most: int) -> list[Floats]:
    """Return the middles of pictures, `[1, 3, FITTED_SIDE, FITTED_SIDE]`. Raises `InputError` if there are none."""
    from random import Random

    import numpy as np

    from cwic.image.folder import middle, picture_files

    files = picture_files(folder)
    Random(0).shuffle(files)
    found: list[Floats] = []
    for file in files:
        x = middle(file, FITTED_SIDE)
        if min(x.shape[2:]) == FITTED_SIDE:
            found.append(np.ascontiguousarray(x))
        if len(found) == most:
            break
    if not found:
        raise InputError(f"no picture under {folder} has {FITTED_SIDE} pixels a side")
    return found


def _parts(name: str) -> Sequence[PartSummary]:
    """Return the cost of each part of a model, from its weight file or, without one, by counting."""
    from cwic.models.catalog import CATALOG, describe, names

    if name in CATALOG and name not in names():
        return _cost(CATALOG[name].config)
    found = describe(name)
    return found.parts or _cost(found.config)


def _cost(config: ModelConfig) -> Sequence[PartSummary]:
    from cwic.extras import require

    require("torch", "train")
    from cwic.lab.cost import parts

    return parts(config)


def _imported(checkpoint: Path) -> CodingModel:
    """Return the model of a checkpoint, or of a weight file of cwic 0.1; the suffix of the name decides."""
    from cwic.models.catalog import SUFFIX

    if checkpoint.suffix == SUFFIX:
        from cwic.lab.earlier_weights import load_earlier

        return load_earlier(checkpoint)
    from cwic.lab.cwam2024_export import export
    from cwic.lab.official import load_official

    return export(load_official(checkpoint))
