"""Find the entries of a source, whatever its kind: a folder, a picture, a list of paths, or tars."""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from cwic.batch.entry import EXTRA, ClashError, Entry, problem_of
from cwic.batch.listing import Told, Wanted, chosen, in_folder, matching
from cwic.batch.patience import patiently
from cwic.batch.store import is_local, local_path, open_store, protocol_of, times_and_tags
from cwic.errors import InputError
from cwic.extras import require

LISTS = (".txt", ".parquet")
TAR = ".tar"
COLUMNS = ("path", "url", "uri")
"""The names that the column of paths in a Parquet list can have; the first one that exists counts."""
_ROWS = 1024
_AT_ONCE = 32
_AHEAD = 1 << 20
"""The number of bytes of each request for a part of a remote file."""


def entries_of(source: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    """Yield the pictures of a source, each with the name of its output.

    A name that ends in .tar, or one with `*` whose files are tars, stands for WebDataset shards. One that ends in .txt
    or .parquet stands for a list of paths and URLs, any other one for a folder or one picture.

    Args:
        source: the name.
        wanted: the files to look for.
        told: takes the files that are left out, and all that cannot be read.

    Raises:
        InputError: there is no such source.
        StoreError: its store does not answer.
    """
    last = posixpath.basename(source)
    if any(mark in last for mark in "*?[") and not _is_there(source):
        for file in matching(source):
            if not file.endswith(TAR):
                raise InputError(f"{source} stands for {file} too: only tars can be named so")
            yield from in_tar(file, wanted, told)
        return
    about = _about(source)
    if about is None:
        yield from in_folder(source, wanted, told)
    elif last.endswith(TAR):
        yield from in_tar(source, wanted, told)
    elif last.endswith(LISTS):
        yield from in_list(source, wanted, told)
    else:
        yield from chosen(about, about.file_name, wanted, told)


def in_tar(source: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    """Yield the pictures in a tar; each can be read by itself. Outputs go to a folder with the name of the tar."""
    about = _about(source)
    if about is None:
        raise InputError(f"{source}: a tar is expected, and it is a folder")
    folder = posixpath.splitext(about.file_name)[0]
    try:
        with _opened(source) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                vars(tar)["members"].clear()  # tarfile would keep all of them in memory
                if member.isfile() and not member.issparse():
                    name = posixpath.normpath(member.name.lstrip("/"))
                    found = about._replace(member=member.name, offset=member.offset_data, size=member.size)
                    yield from _checked(found, f"{folder}/{name}", wanted, told)
    except (tarfile.TarError, EOFError) as error:
        told.unread.append((source, f"damaged tar: {error}"))


def in_list(source: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    """Yield the pictures that a list names. The output of each has its path, or the host and path of its URL."""
    folder = posixpath.dirname(local_path(source) if is_local(source) else source)
    lines = filter(None, _lines(source))
    with ThreadPoolExecutor(_AT_ONCE) as threads:  # a request for each
        while some := list(islice(lines, _ROWS)):
            for inside, entry in threads.map(lambda line: _listed(line, folder), some):
                yield from _checked(entry, inside, wanted, told)


def _listed(line: str, folder: str) -> tuple[str, Entry]:
    """Return the name in the target for a line of a list, and the entry of the file that the line names."""
    url = line if protocol_of(line) or os.path.isabs(line) else posixpath.join(folder, line)
    inside = line
    if protocol_of(line):
        parts = urlsplit(line)
        inside = posixpath.join(parts.netloc.rpartition("@")[2], parts.path.lstrip("/"))
    try:
        entry = _about(url) or Entry(url, problem=problem_of(InputError("a folder: a list names pictures")))
    except InputError as error:
        entry = Entry(url, problem=problem_of(error))
    return posixpath.normpath(inside.lstrip("/")), entry


def _checked(entry: Entry, inside: str, wanted: Wanted, told: Told) -> Iterator[Entry]:
    if ".." in inside.split("/"):
        entry = entry._replace(problem=problem_of(ClashError("its name leads out of the target")))
        inside = inside.replace("../", "")
    yield from chosen(entry, inside, wanted, told)


def _about(url: str) -> Entry | None:
    """Return the entry of a file, without its output; None for a folder. Raises InputError if nothing is there."""
    if is_local(url):
        path = local_path(url)
        if os.path.isdir(path):
            return None
        try:
            found = os.stat(path)
        except OSError as error:
            raise InputError(f"cannot read the file: {error.strerror}") from None
        return Entry(path, "", 0, found.st_size, found.st_mtime)
    fs, path = open_store(url)
    try:
        info: dict[str, Any] = patiently(fs.info, path)
    except FileNotFoundError:
        raise InputError("cannot read the file: nothing is there") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the file: {' '.join(str(error).split())}") from error
    if info.get("type") == "directory" or (url.endswith("/") and protocol_of(url) in ("http", "https")):
        return None
    mtime, etag = times_and_tags(info)
    return Entry(url, "", 0, -1 if info.get("size") is None else info["size"], mtime, etag)


def _is_there(source: str) -> bool:
    return is_local(source) and os.path.exists(local_path(source))


def _opened(source: str) -> Any:
    if is_local(source):
        return open(local_path(source), "rb")
    fs, path = open_store(source)
    return patiently(fs.open, path, "rb", block_size=_AHEAD)


def _lines(source: str) -> Iterator[str]:
    with _opened(source) as file:
        if not source.endswith(".parquet"):
            for line in file:
                yield line.decode("utf-8", "surrogateescape").strip()
            return
        parquet = require("pyarrow.parquet", EXTRA)
        try:
            table = parquet.ParquetFile(file)
        except (OSError, ValueError) as error:
            raise InputError(f"{source}: not a Parquet file: {error}") from error
        column = next((name for name in COLUMNS if name in table.schema_arrow.names), None)
        if column is None:
            raise InputError(f"{source}: no column path, url or uri")
        for rows in table.iter_batches(batch_size=_ROWS, columns=[column]):
            yield from (str(value) for value in rows.column(0).to_pylist() if value is not None)
