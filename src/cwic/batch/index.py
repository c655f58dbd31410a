"""An index of all entries of a listing, on disk and in order, so that memory does not grow with them.

Unlike a stream, it finds entries named twice, outputs that two entries would become, and changes since a listing.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from cwic.batch.entry import ClashError, Entry, problem_of

_CHUNK = 2000
_TABLE = """CREATE TABLE e (
    path BLOB, member BLOB, offset INT, size INT, mtime REAL, etag TEXT, output BLOB, problem TEXT, key BLOB,
    seen INT DEFAULT 0, PRIMARY KEY (path, member)
) WITHOUT ROWID"""
_COLUMNS = "path, member, offset, size, mtime, etag, output, problem"


class Index:
    """A temporary file of entries, in the order of their names. It has to be closed."""

    def __init__(self, entries: Iterable[Entry], key: Callable[[str], str]) -> None:
        """Take all entries. An entry named twice is one.

        Args:
            entries: the entries.
            key: gives the names of outputs that are one file the same key.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="cwic-listing-")
        self._base = sqlite3.connect(os.path.join(self._folder.name, "index"), isolation_level=None)
        for line in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -16000",
            _TABLE,
        ):
            self._base.execute(line)
        stream = iter(entries)
        while chunk := list(islice(stream, _CHUNK)):
            self._base.execute("BEGIN")
            self._base.executemany(
                f"INSERT OR IGNORE INTO e ({_COLUMNS}, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*_packed(entry), _bytes(key(entry.output))) for entry in chunk],
            )
            self._base.execute("COMMIT")
        self._mark_clashes()

    def close(self) -> None:
        """Remove the file."""
        self._base.close()
        self._folder.cleanup()

    def totals(self) -> tuple[int, int]:
        """Return the number of entries, and the sum of their bytes, as far as known."""
        count, size = self._base.execute("SELECT count(*), coalesce(sum(max(size, 0)), 0) FROM e").fetchone()
        return count, size

    def entries(self, *, unseen: bool = False) -> Iterator[Entry]:
        """Yield all entries in the order of their names; if `unseen`, only those that `take` did not return."""
        which = "WHERE seen = 0" if unseen else ""
        for found in self._base.execute(f"SELECT {_COLUMNS} FROM e {which} ORDER BY path, member"):
            yield _unpacked(found)

    def count_unseen(self) -> int:
        """Return the number of entries that `take` did not return."""
        count: int = self._base.execute("SELECT count(*) FROM e WHERE seen = 0").fetchone()[0]
        return count

    def take(self, entry: Entry) -> Entry | None:
        """Return the entry with the name of an entry of an earlier listing; None if there is none."""
        names = (_bytes(entry.path), _bytes(entry.member))
        found = self._base.execute(f"SELECT {_COLUMNS} FROM e WHERE path = ? AND member = ?", names).fetchone()
        if found is None:
            return None
        self._base.execute("UPDATE e SET seen = 1 WHERE path = ? AND member = ?", names)
        return _unpacked(found)

    def _mark_clashes(self) -> None:
        self._base.execute("CREATE INDEX keys ON e (key)")
        clashing = self._base.execute(
            "SELECT key FROM e WHERE problem = '' GROUP BY key HAVING count(*) > 1"
        ).fetchall()
        for (key,) in clashing:
            found = self._base.execute(f"SELECT {_COLUMNS} FROM e WHERE key = ? LIMIT 3", (key,)).fetchall()
            names = " and ".join(_unpacked(row).name for row in found)
            output = _unpacked(found[0]).output
            problem = problem_of(ClashError(f"output {output} would be made of {names}: exclude all but one"))
            self._base.execute("UPDATE e SET problem = ? WHERE key = ?", (problem, key))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _packed(entry: Entry) -> tuple[object, ...]:
    path, member, offset, size, mtime, etag, output, problem = entry
    return _bytes(path), _bytes(member), offset, size, mtime, etag, _bytes(output), problem


def _unpacked(row: tuple[bytes, bytes, int, int, float, str, bytes, str]) -> Entry:
    path, member, offset, size, mtime, etag, output, problem = row
    path_, member_, output_ = (part.decode("utf-8", "surrogateescape") for part in (path, member, output))
    return Entry(path_, member_, offset, size, mtime, etag, output_, problem)
