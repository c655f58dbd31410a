"""List the pictures of a folder, on this machine or in a store, one entry after the other.

Memory does not grow with the number of pictures, except for stores that list a whole folder at once: then it grows
with the largest folder.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, NamedTuple, Protocol

from cwic.batch.entry import Entry
from cwic.batch.patience import patiently
from cwic.batch.store import is_local, local_path, open_store, protocol_of, times_and_tags
from cwic.errors import InputError
from cwic.image.files import is_temporary

OWN_FOLDER = ".cwic-batch"
"""The folder in a target that holds the manifest. It is never listed."""
NAMED = 8
"""The number of left-out files that are named; the others are only counted."""


class Choice(Protocol):
    """The choice of names inside a source by `--include` and `--exclude`."""

    def leave_out(self, path: str) -> bool:
        """Return whether a file or a whole folder is excluded."""

    def take(self, path: str) -> bool:
        """Return whether a file is wanted."""


@dataclass
class Told:
    """The remarks on a listing.

    Attributes:
        others: the number of files that were left out.
        named: the names of the first `NAMED` of them.
        unread: folders and tars that cannot be read, with the reasons.
    """

    others: int = 0
    named: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def leave_out(self, name: str) -> None:
        """Count a file that the command does not take."""
        self.others += 1
        if len(self.named) < NAMED:
            self.named.append(name)


class Wanted(NamedTuple):
    """The files to look for.

    Attributes:
        is_suffix: tells by its suffix whether the command takes a file.
        suffix: the suffix of the outputs.
        choice: chooses among the names in a source.
        target: the folder of the outputs, which is skipped if it lies inside a source.
    """

    is_suffix: Callable[[str], bool]
    suffix: str
    choice: Choice
    target: str

    def takes(self, inside: str) -> bool:
        """Return whether the suffix of a name is wanted."""
        return self.is_suffix(posixpath.splitext(inside)[1])

    def output(self, inside: str) -> str:
        """Return the name in the target for a name in the source."""
        return posixpath.splitext(inside)[0] + self.suffix


def in_folder(source: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    """Yield all pictures in a local folder, or below a URL in a store.

    Args:
        source: the folder or URL.
        wanted: the files to look for.
        told: takes the files that are left out, and the folders that cannot be read.

    Raises:
        InputError: no file system reaches the source.
        StoreError: its store does not answer.
    """
    if is_local(source):
        yield from _local(local_path(source), wanted, told)
        return
    fs, root = open_store(source)
    found = _s3_pages(fs, root) if protocol_of(source) in ("s3", "s3a") else _store(fs, root, wanted, told)
    target = protocol_of(wanted.target) and open_store(wanted.target)[1].rstrip("/")
    for path, info in found:
        inside = path[len(root.rstrip("/")) :].lstrip("/")
        if OWN_FOLDER in inside.split("/") or (target and target != root.rstrip("/") and _is_in(path, target)):
            continue
        mtime, etag = times_and_tags(info)
        url = path if protocol_of(path) else f"{protocol_of(source)}://{path.lstrip('/')}"
        size = info.get("size", info.get("Size"))
        found_entry = Entry(url, "", 0, -1 if size is None else size, mtime, etag)
        yield from chosen(found_entry, inside, wanted, told)


def chosen(entry: Entry, inside: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    """Yield an entry with its output, if its name inside the source is wanted.

    Args:
        entry: the entry.
        inside: its name inside the source, with `/`.
        wanted: the files to look for.
        told: takes the entry if the command does not take it.
    """
    folders = inside.split("/")[:-1]
    paths = ["/".join(folders[: count + 1]) for count in range(len(folders))]
    if not wanted.choice.take(inside) or any(map(wanted.choice.leave_out, paths)) or is_temporary(entry.file_name):
        return
    if not wanted.takes(inside.split("?")[0]):
        told.leave_out(entry.name)
        return
    yield entry._replace(output=wanted.output(inside.split("?")[0]))


def _local(root: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    target = local_path(wanted.target) if is_local(wanted.target) else ""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as found:
                for item in found:
                    inside = posixpath.join(folder, item.name)
                    if item.is_dir(follow_symlinks=False):
                        own = item.name == OWN_FOLDER or (target and os.path.realpath(item.path) == target)
                        if not own and not wanted.choice.leave_out(inside):
                            folders.append(inside)
                        continue
                    yield from _local_file(item, inside, wanted, told)
        except OSError as error:
            told.unread.append((os.path.join(root, folder), error.strerror or str(error)))


def _local_file(item: os.DirEntry[str], inside: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    if not wanted.choice.take(inside) or is_temporary(item.name):
        return
    try:
        found = item.stat()
        is_file = stat.S_ISREG(found.st_mode)
    except OSError:  # a link that leads nowhere: coding reports it
        found, is_file = None, False
    if not wanted.takes(inside) or (found is not None and not is_file):
        told.leave_out(item.path)
        return
    size, mtime = (-1, 0.0) if found is None else (found.st_size, found.st_mtime)
    yield Entry(item.path, "", 0, size, mtime, "", wanted.output(inside))


def _s3_pages(fs: Any, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all keys below a prefix, a thousand a request. fsspec itself would list all of them at once."""
    bucket, _, prefix = root.partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    after: dict[str, Any] = {}
    while True:
        page = patiently(fs.call_s3, "list_objects_v2", Bucket=bucket, Prefix=prefix, **after)
        for found in page.get("Contents", ()):
            if not found["Key"].endswith("/"):
                yield f"{bucket}/{found['Key']}", found
        if not page.get("IsTruncated"):
            return
        after = {"ContinuationToken": page["NextContinuationToken"]}


def _store(fs: Any, root: str, wanted: Wanted, told: Told) -> Iterator[tuple[str, dict[str, Any]]]:
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            found = patiently(fs.ls, folder, detail=True)
        except (FileNotFoundError, PermissionError) as error:
            told.unread.append((folder, str(error) or type(error).__name__))
            continue
        for info in found:
            path = info["name"]
            inside = path[len(root.rstrip("/")) :].strip("/")
            if path.rstrip("/") == folder.rstrip("/") or not _is_in(path, folder):
                continue
            if info.get("type") != "directory":
                yield path, info
            elif not wanted.choice.leave_out(inside):
                folders.append(path)


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def matching(pattern: str) -> list[str]:
    """Return the files that a name with `*`, `?` or `[` in its last part stands for, in order.

    Raises:
        InputError: there is none.
    """
    folder, _, last = pattern.rpartition("/")
    if is_local(pattern):
        folder = local_path(folder or os.curdir)
        names = [os.path.join(folder, name) for name in (os.listdir(folder) if os.path.isdir(folder) else [])]
    else:
        fs, path = open_store(folder)
        try:
            names = [f"{folder}/{posixpath.basename(name)}" for name in patiently(fs.ls, path, detail=False)]
        except FileNotFoundError:
            names = []
    fitting = sorted(name for name in names if fnmatch(posixpath.basename(name), last))
    if not fitting:
        raise InputError(f"nothing fits {pattern}")
    return fitting
