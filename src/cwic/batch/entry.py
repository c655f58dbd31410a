"""The rows of Parquet files: the entry of a picture in a manifest, and its row in the results of a shard."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from io import BytesIO
from typing import Any, NamedTuple

from cwic.errors import CwicError, InputError
from cwic.extras import require

EXTRA = "cluster"


class ClashError(CwicError):
    """Two pictures would become one output, or one would leave the target."""

    exit_code = 2


_KINDS = {kind.__name__: kind for kind in (ClashError, InputError)}


class Entry(NamedTuple):
    """A picture that is to be coded.

    Attributes:
        path: the path of a local file, or a URL; for a picture in a tar, that of the tar.
        member: the name inside the tar; empty for a file of its own.
        offset: the offset of its bytes inside the tar.
        size: the number of its bytes; -1 if the store does not tell.
        mtime: the time of its last change, in seconds since 1970; 0 if the store does not tell.
        etag: the store's tag of this version; empty if there is none.
        output: the name of its output inside the target, with `/`.
        problem: the reason why it must not be coded, in the form of `problem_of`; empty if it may be coded.
    """

    path: str
    member: str = ""
    offset: int = 0
    size: int = -1
    mtime: float = 0.0
    etag: str = ""
    output: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """The whole name, for messages."""
        return f"{self.path}:{self.member}" if self.member else self.path

    @property
    def file_name(self) -> str:
        """The last part of the name, without the query and the fragment of a URL."""
        name = self.member or (self.path.split("?")[0].split("#")[0] if "://" in self.path else self.path)
        return posixpath.basename(name.replace("\\", "/")) or "picture"

    @property
    def version(self) -> tuple[str, str, int, float, str, str, str]:
        """The fields that differ once the picture, or the work on it, changes."""
        return self.path, self.member, self.size, self.mtime, self.etag, self.output, self.problem


class Row(NamedTuple):
    """The result of a picture. The first seven fields are those of its entry.

    Attributes:
        status: `CODED` or `FAILED`.
        bytes: the size of the output.
        width: the width of the picture, in pixels.
        height: the height of the picture, in pixels.
        bpp: bits of the coded file per pixel.
        seconds: the time that coding took.
        crc: the CRC-32 of the output.
        error_type: the name of the error's class; empty if there was none.
        error: the message of the error.
        exit_code: the exit code that a command would have ended with.
        notes: the messages that came up, such as those about lost metadata.
    """

    path: str
    member: str
    size: int
    mtime: float
    etag: str
    output: str
    problem: str
    status: str
    bytes: int = 0
    width: int = 0
    height: int = 0
    bpp: float = 0.0
    seconds: float = 0.0
    crc: int = 0
    error_type: str = ""
    error: str = ""
    exit_code: int = 0
    notes: str = ""

    @property
    def version(self) -> tuple[str, str, int, float, str, str, str]:
        """The `Entry.version` of its entry."""
        return self[:7]

    @property
    def name(self) -> str:
        """The `Entry.name` of its entry."""
        return f"{self.path}:{self.member}" if self.member else self.path


def problem_of(error: ClashError | InputError) -> str:
    """Return an error as the problem of an entry: the name of its class, and its message."""
    return f"{type(error).__name__}: {error}".encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def raise_problem(entry: Entry) -> None:
    """Raise the problem of an entry as an error, if it has one."""
    if entry.problem:
        kind, _, text = entry.problem.partition(": ")
        raise _KINDS.get(kind, InputError)(text)


CODED, FAILED = "coded", "failed"
_NAMES = ("path", "member", "output")
"""Columns of file names, which may have undecodable bytes. Then the column `raw_...` holds the exact bytes."""
_INTEGERS = ("offset", "size", "bytes", "width", "height", "crc", "exit_code")
_REALS = ("mtime", "bpp", "seconds")


def row_of(entry: Entry, status: str, **values: Any) -> Row:
    """Return the row of an entry with a status; `values` are further fields of the row."""
    return Row(*entry.version, status, **values)


def to_parquet(rows: Iterable[Entry] | Iterable[Row], kind: type[Entry] | type[Row], about: dict[str, str]) -> bytes:
    """Return rows as a Parquet file.

    Args:
        rows: the rows.
        kind: the class of the rows.
        about: the metadata of the file, the same for all rows.
    """
    pa, parquet = require("pyarrow", EXTRA), require("pyarrow.parquet", EXTRA)
    columns: dict[str, Any] = {name: [] for name in kind._fields}
    raw: dict[str, Any] = {f"raw_{name}": [] for name in _NAMES}
    for row in rows:
        for name, value in zip(kind._fields, tuple[Any, ...](row), strict=True):
            if name in _NAMES:
                data = value.encode("utf-8", "surrogateescape")
                shown = data.decode("utf-8", "backslashreplace")
                raw[f"raw_{name}"].append(None if shown == value else data)
                value = shown
            elif isinstance(value, str):
                value = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            columns[name].append(value)
    fields = [(name, _type_of(pa, name)) for name in kind._fields] + [(name, pa.binary()) for name in raw]
    schema = pa.schema(fields, metadata={f"cwic_{key}": value for key, value in about.items()})
    file = BytesIO()
    parquet.write_table(pa.table(columns | raw, schema=schema), file)
    return file.getvalue()


def from_parquet(data: bytes, kind: type[Any]) -> tuple[list[Any], dict[str, str]]:
    """Return the rows of a Parquet file, as `Entry` or `Row`, and the metadata of the file."""
    pa, parquet = require("pyarrow", EXTRA), require("pyarrow.parquet", EXTRA)
    # Without threads: a thread of pyarrow that still runs when the process ends would abort it.
    table = parquet.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for name in _NAMES:
        for place, found in enumerate(columns[f"raw_{name}"]):
            if found is not None:
                columns[name][place] = found.decode("utf-8", "surrogateescape")
    rows = [kind(*values) for values in zip(*(columns[name] for name in kind._fields), strict=True)]
    metadata = table.schema.metadata or {}
    about = {key.decode().removeprefix("cwic_"): value.decode() for key, value in metadata.items()}
    return rows, about


def _type_of(pa: Any, name: str) -> Any:
    if name in _INTEGERS:
        return pa.int64()
    return pa.float64() if name in _REALS else pa.string()
