"""Folders as inputs: find the files in them that a command takes, and name outputs in the same tree."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import typer

from cwic.cli.job import STDIN, STDOUT, Job, shown
from cwic.cli.plan import plan, without_clashes
from cwic.image.files import is_temporary

NAMED = 8
"""The number of left-out files that are named; the others are only counted."""


class Patterns(NamedTuple):
    """The patterns that choose files of a folder.

    A pattern is compared with the name of a file or a folder, and with its path inside the input. `*` stands for any
    characters, `/` among them.

    Attributes:
        include: if there are any, one of them must fit a file.
        exclude: none of them may fit a file or a folder.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def leave_out(self, path: str) -> bool:
        """Return whether a file or a whole folder is excluded."""
        return _fits(path, self.exclude)

    def take(self, path: str) -> bool:
        """Return whether a file is wanted."""
        return not self.leave_out(path) and (not self.include or _fits(path, self.include))


class Plan(NamedTuple):
    """The work of a command on folders.

    Attributes:
        jobs: inputs and outputs.
        others: files in the folders that this command does not take, and links to folders.
        unread: folders that cannot be read, with the errors.
        folders: the inputs that are folders.
    """

    jobs: list[Job]
    others: list[str]
    unread: list[tuple[str, OSError]]
    folders: list[str]


def plan_all(
    inputs: Sequence[str], output: str | None, suffix: str, patterns: Patterns, is_wanted: Callable[[str], bool]
) -> Plan:
    """Name the outputs of files, as `plan` does, and those of all wanted files in folders.

    The outputs of a folder form the same tree under `output`. Links to files are followed. Links to folders are not,
    because they could form a circle. The folder of the outputs is skipped if it lies in a folder of inputs.

    Args:
        inputs: the names of files and folders, at least one.
        output: the name given with `-o`; None if there is none.
        suffix: the suffix of the outputs.
        patterns: choose among the files of folders.
        is_wanted: tells by its suffix whether the command takes a file.

    Raises:
        typer.BadParameter: the names cannot work (usage, exit code 2).
    """
    folders = [source for source in inputs if source not in STDIN and Path(source).is_dir()]
    if not folders:
        if patterns != Patterns():
            raise typer.BadParameter("--include and --exclude choose among the files of a folder, and none is given")
        return Plan(plan(inputs, output, suffix), [], [], [])
    if not STDIN.isdisjoint(inputs):
        raise typer.BadParameter("- (stdin) must be the only input")
    if output is None or output in STDOUT or (Path(output).exists() and not Path(output).is_dir()):
        raise typer.BadParameter(f"{shown(folders[0])} is a folder: -o must name the folder for its outputs")
    jobs: list[Job] = []
    others: list[str] = []
    unread: list[tuple[str, OSError]] = []
    for source in dict.fromkeys(inputs):
        found = [Path(source).name]
        if source in folders:
            found = _walk(source, Path(output), patterns, unread)
        for inside in found:
            path = os.path.join(source, inside) if source in folders else source
            if source in folders and not (is_wanted(Path(inside).suffix) and os.path.isfile(path)):
                others.append(path)
                continue
            jobs.append(Job(path, os.path.join(output, Path(inside).with_suffix(suffix)), makes_folder=True))
    made = {os.path.realpath(job.target) for job in jobs} if others else set()
    others = [path for path in others if os.path.realpath(path) not in made]
    return Plan(without_clashes(jobs), others, unread, list(dict.fromkeys(folders)))


def others_line(others: Sequence[str], kind: str, count: int | None = None) -> str:
    """Return the message about files that were left out.

    Args:
        others: the names of the files, or of some of them.
        kind: the kind of file that the command takes.
        count: the number of files; None if `others` has them all.
    """
    count = len(others) if count is None else count
    named = ", ".join(map(shown, others[:NAMED]))
    more = f" and {count - NAMED} more" if count > NAMED else ""
    return f"{count} left out, no {kind}: {named}{more}"


def _walk(folder: str, output: Path, patterns: Patterns, unread: list[tuple[str, OSError]]) -> list[str]:
    """Return the paths, relative to `folder`, of all files and links to folders that the patterns take.

    They are in the order of their names in each folder.

    Args:
        folder: the folder to search.
        output: the folder of the outputs, which is skipped.
        patterns: choose among the files.
        unread: takes the folders that cannot be read, with the errors.
    """
    own = _identity(output)
    found: list[str] = []

    def take_error(error: OSError) -> None:
        unread.append((str(error.filename or folder), error))

    for top, folders, files in os.walk(folder, onerror=take_error):
        inside = os.path.relpath(top, folder)
        inside = "" if inside == os.curdir else inside
        links = [name for name in folders if os.path.islink(os.path.join(top, name))]
        folders[:] = sorted(
            name
            for name in folders
            if name not in links
            and not patterns.leave_out(os.path.join(inside, name))
            and (own is None or _identity(Path(top, name)) != own)
        )
        for name in sorted([*files, *links]):
            path = os.path.join(inside, name)
            if patterns.take(path) and not is_temporary(name):
                found.append(path)
    return found


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return the identity of a folder on its disk; None if the folder does not exist."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _fits(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path, pattern) or fnmatch(os.path.basename(path), pattern) for pattern in patterns)
