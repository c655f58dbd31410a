"""Access to any place that fsspec reaches: read files, write them whole or not at all, and list them.

Requests to anything but local folders are repeated while their failures may pass.
"""

from __future__ import annotations

import errno
import os
import posixpath
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cwic.batch.entry import EXTRA
from cwic.batch.patience import FULL, StoreError, patiently
from cwic.errors import CwicError, InputError
from cwic.extras import require
from cwic.image.files import is_temporary, read_bytes, remove_temporary, write_atomically

T = TypeVar("T")
_WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"}
"""Object stores, where an upload appears whole once it ends, so that it needs no temporary name first."""
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5")


def is_local(url: str) -> bool:
    """Return whether a name is that of a file or folder of this machine."""
    return protocol_of(url) in ("", "file", "local")


def protocol_of(url: str) -> str:
    """Return the part of a URL before `://`; empty for a path."""
    protocol, mark, _ = url.partition("://")
    return protocol if mark else ""


def local_path(url: str) -> str:
    """Return the absolute path of a local name, with or without `file://` before it."""
    return os.path.abspath(url.partition("://")[2] if protocol_of(url) else url)


def open_store(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec for a URL that is not local, and the path in it.

    Raises:
        InputError: there is none for its protocol, or its package is not installed.
    """
    return _file_system(protocol_of(url), url)


def _file_system(protocol: str, url: str) -> tuple[Any, str]:
    kind = _kind(protocol)
    return kind(**kind._get_kwargs_from_urls(url), use_listings_cache=False), kind._strip_protocol(url)


@lru_cache(maxsize=16)
def _kind(protocol: str) -> Any:
    registry = require("fsspec.registry", EXTRA)
    try:
        return registry.get_filesystem_class(protocol)
    except ValueError:
        raise InputError(f"{protocol}:// is no place that fsspec knows") from None
    except ImportError as error:
        raise InputError(f"{protocol}:// cannot be reached: {error}") from error


def read(url: str, start: int = 0, size: int | None = None) -> bytes:
    """Return all bytes of a file, or `size` of them from `start`. Raises InputError, and StoreError as `patiently`."""
    if is_local(url):
        if size is None:
            return read_bytes(local_path(url))
        with _as_input(), open(local_path(url), "rb") as file:
            file.seek(start)
            return file.read(size)
    fs, path = open_store(url)
    with _as_input():
        data: bytes = patiently(fs.cat_file, path, **({} if size is None else {"start": start, "end": start + size}))
    return data


def times_and_tags(info: dict[str, Any]) -> tuple[float, str]:
    """Return the time of a file's last change, and the tag of its version.

    Args:
        info: fsspec's information about the file.

    Returns:
        The seconds since 1970, 0 if unknown; and the tag, empty if there is none.
    """
    found = next((info[name] for name in _TIMES if info.get(name)), 0)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found.replace("Z", "+00:00"))
        except ValueError:
            found = 0
    if isinstance(found, datetime):
        found = (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    tag = next((str(info[name]) for name in _TAGS if info.get(name)), "")
    return float(found), tag.strip('"')


class Target:
    """The folder of the outputs, on this machine or in a store. Names in it have `/`."""

    def __init__(self, url: str) -> None:
        """Open a target. Raises InputError if no file system reaches it, or it cannot be written to."""
        self.is_local = is_local(url)
        self.url = local_path(url) if self.is_local else url.rstrip("/")
        if not self.is_local:
            self._fs, self._root = open_store(self.url)
            if protocol_of(url) in ("http", "https"):
                raise InputError("nothing can be written by http")

    def place(self, name: str) -> str:
        """Return the path or key of a name."""
        return os.path.join(self.url, *name.split("/")) if self.is_local else posixpath.join(self._root, name)

    def read(self, name: str) -> bytes | None:
        """Return all bytes under a name; None if there is no such file. Raises StoreError, OSError."""
        try:
            return Path(self.place(name)).read_bytes() if self.is_local else self._try(self._fs.cat_file, name)
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all. An existing file is replaced.

        Raises:
            InputError: it cannot be written.
            StoreError: the store does not answer, or is full.
        """
        with _as_input("cannot write the output"):
            if self.is_local:
                path = Path(self.place(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, data, force=True)
            elif protocol_of(self.url) in _WHOLE_AT_ONCE:
                self._try(self._fs.pipe_file, name, data)
            else:
                self._write_and_move(name, data)

    def _write_and_move(self, name: str, data: bytes) -> None:
        folder = posixpath.dirname(name)
        temporary = posixpath.join(folder, f".cwic-{secrets.token_hex(8)}.tmp")
        patiently(self._fs.makedirs, posixpath.dirname(self.place(name)), exist_ok=True)
        try:
            self._try(self._fs.pipe_file, temporary, data)
            patiently(self._fs.mv, self.place(temporary), self.place(name))
        except BaseException:
            with suppress(Exception):
                self._fs.rm_file(self.place(temporary))
            raise

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        with suppress(FileNotFoundError):
            if self.is_local:
                os.unlink(self.place(name))
            else:
                self._try(self._fs.rm_file, name)

    def head(self, name: str, count: int) -> bytes:
        """Return the first `count` bytes of an existing file. Raises InputError."""
        with _as_input("cannot read the output that is there"):
            if self.is_local:
                with open(self.place(name), "rb") as file:
                    return file.read(count)
            data: bytes = patiently(self._fs.cat_file, self.place(name), start=0, end=count)
            return data

    def changed(self, name: str) -> float | None:
        """Return the time of a file's last change, by the clock of the store, in seconds since 1970.

        It is None if there is no such file, and minus infinity for a folder.
        """
        try:
            if self.is_local:
                found = os.stat(self.place(name))
                return found.st_mtime if os.path.isfile(self.place(name)) else float("-inf")
            info = self._try(self._fs.info, name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return times_and_tags(info)[0] if info.get("type") == "file" else float("-inf")

    def names(self, folder: str) -> list[str]:
        """Return the names of the files right inside a folder; an empty list if there is no such folder."""
        try:
            if self.is_local:
                return os.listdir(self.place(folder) if folder else self.url)
            place = self.place(folder) if folder else self._root
            found = patiently(self._fs.ls, place, detail=False)
        except FileNotFoundError:
            return []
        inside = (posixpath.basename(path.rstrip("/")) for path in found if path.rstrip("/") != place.rstrip("/"))
        return list(inside)

    def tidy(self, folders: Iterable[str]) -> None:
        """Remove the half-written files that a killed run left in folders. On object stores there are none."""
        if not self.is_local and protocol_of(self.url) in _WHOLE_AT_ONCE:
            return
        for folder in folders:
            if self.is_local:
                remove_temporary(self.place(folder) if folder else self.url)
            else:
                for name in filter(is_temporary, self.names(folder)):
                    self.remove(posixpath.join(folder, name))

    def _try(self, call: Callable[..., T], name: str, *arguments: Any) -> T:
        return patiently(call, self.place(name), *arguments)


@contextmanager
def _as_input(what: str = "cannot read the file") -> Iterator[None]:
    """Turn errors inside into an InputError that begins with `what`, and a full store into a StoreError."""
    try:
        yield
    except CwicError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{what}: {os.strerror(errno.ENOENT)}") from error
    except Exception as error:  # clients of stores have errors of their own
        if isinstance(error, OSError) and error.errno in FULL:
            raise StoreError(f"{os.strerror(error.errno)}; the same command goes on from here") from error
        text = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{what}: {text}") from error
