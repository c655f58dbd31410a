"""`cwic encode IN OUT` and `cwic decode IN OUT`: read two names without -o as an input and its output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from cwic.cli.job import STDIN, shown
from cwic.cli.replaced import begins_as_coded, begins_as_picture, has_name_of_picture

SUFFIX = ".cwic"
Named = tuple[list[str], str | None]
"""The inputs, and the output if one is named."""


def to_encode(inputs: Sequence[str], output: str | None) -> Named:
    """Return inputs and output, with the second of two names as the output if only that one ends in `.cwic`.

    Raises:
        typer.BadParameter: the second name could be an input all the same, or the first is a folder.
    """
    if output is not None or len(inputs) != 2 or not _is_coded(inputs[1]) or _is_coded(inputs[0]):
        return list(inputs), output
    source, target = inputs
    if Path(source).is_dir():
        raise typer.BadParameter(f"{shown(source)} is a folder: -o must name the folder for its outputs")
    if Path(target).is_dir() or begins_as_picture(Path(target)):
        raise _in_doubt(target, "a folder" if Path(target).is_dir() else "a picture")
    return [source], target


def to_decode(inputs: Sequence[str], output: str | None) -> Named:
    """Return inputs and output, with the second of two names as the output if it has the suffix of a picture.

    Raises:
        typer.BadParameter: the second name could be an input all the same, or the first is no cwic file.
    """
    if output is not None or len(inputs) != 2 or not has_name_of_picture(Path(inputs[1])):
        return list(inputs), output
    source, target = inputs
    if Path(target).is_dir() or begins_as_coded(Path(target)):
        raise _in_doubt(target, "a folder" if Path(target).is_dir() else "a cwic file")
    if not (source in STDIN or _is_coded(source) or begins_as_coded(Path(source))):
        raise typer.BadParameter(f"{shown(source)} is no cwic file; an output is named with -o {shown(target)}")
    return [source], target


def _is_coded(name: str) -> bool:
    return Path(name).suffix.lower() == SUFFIX


def _in_doubt(target: str, kind: str) -> typer.BadParameter:
    return typer.BadParameter(f"{shown(target)} is {kind}, input or output? An output is named with -o")
