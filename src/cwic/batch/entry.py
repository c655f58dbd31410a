"""What a manifest holds of a picture, and what a shard's results hold of it: rows, as Parquet."""

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
        path: where it is: the path of a local file, or a URL; of a picture in a tar, that of the tar.
        member: its name inside the tar; empty for a file of its own.
        offset: where its bytes begin inside the tar.
        size: its bytes, -1 where the store does not say.
        mtime: seconds since 1970 of its last change, 0 where the store does not say.
        etag: what the store calls this version of it, if anything.
        output: the name of its output inside the target, with `/`.
        problem: why it must not be coded, with the kind of its error before it, as `problem_of` says; empty if it may.
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
        """Its whole name, for people."""
        return f"{self.path}:{self.member}" if self.member else self.path

    @property
    def file_name(self) -> str:
        """The last part of its name, without what a URL may have behind it."""
        name = self.member or (self.path.split("?")[0].split("#")[0] if "://" in self.path else self.path)
        return posixpath.basename(name.replace("\\", "/")) or "picture"

    @property
    def version(self) -> tuple[str, str, int, float, str, str, str]:
        """What changes when the picture, or what is to be done with it, changes."""
        return self.path, self.member, self.size, self.mtime, self.etag, self.output, self.problem


class Row(NamedTuple):
    """What came of a picture. The first seven are those of its entry.

    Attributes:
        status: `CODED` or `FAILED`.
        bytes: of the output.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        bpp: bits of the coded file per pixel.
        seconds: that coding took.
        crc: CRC-32 of the output.
        error_type: name of the error's class; empty if there was none.
        error: what it said.
        exit_code: what a command would have ended with.
        notes: what was said meanwhile, such as what could not be kept.
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
        """As `Entry.version`, of the entry that it came of."""
        return self[:7]

    @property
    def name(self) -> str:
        """As `Entry.name`."""
        return f"{self.path}:{self.member}" if self.member else self.path


def problem_of(error: ClashError | InputError) -> str:
    """An error as the problem of an entry."""
    return f"{type(error).__name__}: {error}".encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def raise_problem(entry: Entry) -> None:
    """Raises the problem of an entry, if it has one."""
    if entry.problem:
        kind, _, text = entry.problem.partition(": ")
        raise _KINDS.get(kind, InputError)(text)


CODED, FAILED = "coded", "failed"
_NAMES = ("path", "member", "output")
"""Columns that may hold bytes of file names that are no text: then what they are stands in a column `raw_...`."""
_INTEGERS = ("offset", "size", "bytes", "width", "height", "crc", "exit_code")
_REALS = ("mtime", "bpp", "seconds")


def row_of(entry: Entry, status: str, **values: Any) -> Row:
    """The row of an entry."""
    return Row(
        entry.path,
        entry.member,
        entry.size,
        entry.mtime,
        entry.etag,
        entry.output,
        entry.problem,
        status,
        **values,
    )


def to_parquet(rows: Iterable[Entry] | Iterable[Row], kind: type[Entry] | type[Row], about: dict[str, str]) -> bytes:
    """Rows of one kind as a Parquet file, with what there is to say of all of them in its metadata."""
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
    """The rows of a Parquet file, as `Entry` or `Row`, and what its metadata say."""
    pa, parquet = require("pyarrow", EXTRA), require("pyarrow.parquet", EXTRA)
    # By this thread alone: a thread of pyarrow that is still there when the process ends would abort it.
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
