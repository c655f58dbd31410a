"""Folders as inputs: the files in them that a command takes, and the same tree for the outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import typer

from cwic.cli.plan import STDIN, STDOUT, Job, plan, shown, without_clashes
from cwic.image.files import is_temporary

NAMED = 8
"""As many files that are left out are named, and the others counted."""


class Patterns(NamedTuple):
    """Which files of a folder are wanted: of the patterns to include one must fit, if there are any; of those to
    exclude none. A pattern fits the name of a file or a folder, or its path inside the input, where `*` stands for any
    characters, `/` among them.
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
        others: files in the folders that are not for this command, and links to folders.
        unread: folders that cannot be read, and why.
        folders: the inputs that are folders.
    """

    jobs: list[Job]
    others: list[str]
    unread: list[tuple[str, OSError]]
    folders: list[str]


def plan_all(
    inputs: Sequence[str], output: str | None, suffix: str, patterns: Patterns, is_wanted: Callable[[str], bool]
) -> Plan:
    """As `plan`, and of folders every file inside whose suffix `is_wanted`, in the same tree under `output`.

    Links to files are followed and links to folders are not, so that no circle of them has no end. The folder of the
    outputs is left out where it is in a folder of inputs.

    Raises typer.BadParameter (usage, exit code 2) if the names cannot work.
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
    """What is said of the files that were left out: those, or as many as `count` says, of which some are given."""
    count = len(others) if count is None else count
    named = ", ".join(map(shown, others[:NAMED]))
    more = f" and {count - NAMED} more" if count > NAMED else ""
    return f"{count} left out, no {kind}: {named}{more}"


def _walk(folder: str, output: Path, patterns: Patterns, unread: list[tuple[str, OSError]]) -> list[str]:
    """The paths inside `folder` of all files that fit, in the order of their names, and of links to folders."""
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
