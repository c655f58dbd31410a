"""Pair inputs with outputs: beside the input, in a folder or to a pipe, and never two with one name."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import typer

from cwic.cli.job import PIPE, STDIN, STDOUT, Job, shown

_NAMELESS = ("/dev/", "/proc/")


def plan(inputs: Sequence[str], output: str | None, suffix: str) -> list[Job]:
    """Name the output of every input: beside it with another suffix, or as `-o` says.

    A name that ends in a slash is a folder, which is made if it does not exist. An input named twice is one job. If
    several inputs would become one file, under whatever spelling of its name, the job of each has a `clash`.

    Args:
        inputs: the names of the inputs, at least one.
        output: the name given with `-o`; None if there is none.
        suffix: the suffix of outputs without a name of their own.

    Returns:
        The jobs, in the order of the inputs.

    Raises:
        typer.BadParameter: the names cannot work (usage, exit code 2).
    """
    if output in STDOUT:
        output = PIPE
    slash = output is not None and output.endswith(("/", os.sep))
    into_folder = output is not None and output != PIPE and (slash or Path(output).is_dir())
    if len(inputs) > 1:
        if not STDIN.isdisjoint(inputs):
            raise typer.BadParameter("- (stdin) must be the only input")
        if output is not None and not into_folder:
            raise typer.BadParameter("with several inputs, -o must name an existing folder, or end in / for a new one")
        if output is None and any(source.startswith(_NAMELESS) for source in inputs):
            raise typer.BadParameter("several pipes need -o and a folder")
    if inputs[0] in STDIN and into_folder:
        raise typer.BadParameter("the output of stdin needs a file name")
    if output is not None and slash:
        try:
            Path(output).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise typer.BadParameter(f"cannot make the folder {shown(output)}: {error.strerror}") from None
    return without_clashes([Job(source, _target(source, output, into_folder, suffix)) for source in inputs])


def _target(source: str, output: str | None, into_folder: bool, suffix: str) -> str:
    if output is not None and not into_folder:
        return output
    if source in STDIN or (output is None and source.startswith(_NAMELESS)):
        return PIPE
    named = Path(source).with_suffix(suffix) if Path(source).name else Path(source)
    return str(Path(output or "") / named.name) if into_folder else str(named)


def without_clashes(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs without repeats, with a `clash` in each one that would replace the file of another job."""
    once: dict[tuple[str, str], Job] = {}
    for job in jobs:
        once.setdefault((_place(job.source), _place(job.target)), job)
    if len(once) == 1:
        return list(once.values())
    sources = {source: job.source for (source, _), job in once.items()}
    makers: dict[str, list[str]] = {}
    for (_, target), job in once.items():
        makers.setdefault(target, []).append(job.source)

    def clash(source: str, target: str, job: Job) -> str | None:
        others = [shown(name) for name in makers[target] if name != job.source]
        way = "rename one, or --exclude it" if job.makes_folder else "give it another name, alone with -o"
        if others:
            return f"{shown(job.target)} would be the output of {' and '.join(others)} too: {way}"
        if target in sources and target != source:
            return f"output {shown(job.target)} is itself an input: {way}"
        return None

    return [job._replace(clash=clash(*places, job)) for places, job in once.items()]


def _place(name: str) -> str:
    """Return one path for all spellings of a file's name."""
    if name == PIPE:
        return name
    real = os.path.realpath(name)
    folds = folds_case(os.path.dirname(real))
    return unicodedata.normalize("NFC", real).casefold() if folds else real


@lru_cache(maxsize=64)
def folds_case(folder: str) -> bool:
    """Return whether names in a folder that differ only in case are one file. Files that exist there decide."""
    try:
        with os.scandir(folder) as entries:
            path = next((entry.path for entry in entries if entry.name != entry.name.swapcase()), folder)
    except OSError:
        path = folder
    head, tail = os.path.split(path)
    other = os.path.join(head, tail.swapcase())
    return tail != tail.swapcase() and os.path.exists(other) and os.path.samefile(path, other)
