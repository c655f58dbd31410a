"""The manifest of a run, in its target: the work and the results, shard by shard.

    .cwic-batch/plan.json                the plan; written last, so that a listing is complete or does not exist
    .cwic-batch/begun                    written first: an older output does not belong to this run
    .cwic-batch/manifest/00000.parquet   entries of a shard
    .cwic-batch/started/00000            a worker has begun the shard
    .cwic-batch/done/00000.parquet       results of the shard, written after its outputs
    .cwic-batch/again/00000.parquet      earlier results of a shard that is to be done again in part

The work that is left is the difference of the names in manifest/ and done/. No list of all pictures is kept in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from time import time
from typing import Any

from cwic.batch.entry import Entry, Row, from_parquet, to_parquet
from cwic.batch.listing import OWN_FOLDER
from cwic.batch.store import Target
from cwic.errors import InputError
from cwic.records import to_json

SHARD = 1000
"""The largest number of pictures in a shard, unless a run has its own."""
VERSION = 1
_BEGUN = f"{OWN_FOLDER}/begun"


@dataclass
class Plan:
    """The plan of a run.

    Attributes:
        source: the source that was listed.
        options: the options that the pictures are coded with.
        shard: the largest number of pictures in a shard.
        shards: the number of shards.
        pictures: the number of pictures.
        bytes: the bytes of all sources, as far as known.
        is_fresh: True if the target was empty, so that all outputs in it are of this run.
        others: the number of files that were left out.
        unread: folders and tars that could not be listed, with the reasons.
        version: the version of the manifest.
    """

    source: str
    options: dict[str, Any]
    shard: int = SHARD
    shards: int = 0
    pictures: int = 0
    bytes: int = 0
    is_fresh: bool = False
    others: int = 0
    unread: list[list[str]] = field(default_factory=list)
    version: int = VERSION


class Manifest:
    """The files of a run in its target."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def plan(self) -> Plan | None:
        """Return the plan of the run; None before its listing is complete.

        Raises:
            InputError: another version of cwic wrote it.
        """
        data = self.target.read(f"{OWN_FOLDER}/plan.json")
        if data is None:
            return None
        try:
            plan = Plan(**json.loads(data))
        except (TypeError, ValueError):
            plan = None
        if plan is None or plan.version != VERSION:
            raise InputError(f"{self.target.url}/{OWN_FOLDER}/plan.json is not of this version of cwic")
        return plan

    def write_plan(self, plan: Plan) -> None:
        """Write the plan, once the listing is complete."""
        self.target.write(f"{OWN_FOLDER}/plan.json", to_json(asdict(plan), indent=1).encode())

    def mark_begun(self) -> None:
        """Mark the begin of the run, unless it is marked already: older outputs are not its own."""
        if self.target.changed(_BEGUN) is None:
            self.target.write(_BEGUN, b"\n")

    def begun(self) -> float:
        """Return the time when the run began, by the clock of the store; 0 if it is unknown."""
        return self.target.changed(_BEGUN) or 0.0

    def tidy(self) -> None:
        """Remove what a killed run left half written among its own files."""
        kinds = ("manifest", "started", "done", "again")
        self.target.tidy([OWN_FOLDER, *(f"{OWN_FOLDER}/{kind}" for kind in kinds)])

    def add(self, entries: Iterable[Entry], size: int, first: int = 0) -> int:
        """Write entries as shards of at most `size`, numbered from `first`. Returns the number after the last."""
        stream = iter(entries)
        while shard := list(islice(stream, size)):
            self.write_entries(shard_name(first), shard)
            first += 1
        return first

    def entries(self, shard: str) -> list[Entry]:
        """Return the entries of a shard. Raises InputError if there is no such shard."""
        data = self.target.read(_file("manifest", shard))
        if data is None:
            raise InputError(f"{self.target.url} has no manifest of shard {shard}")
        return from_parquet(data, Entry)[0]

    def write_entries(self, shard: str, entries: list[Entry]) -> None:
        """Write the entries of a shard."""
        self.target.write(_file("manifest", shard), to_parquet(entries, Entry, {}))

    def done(self) -> set[str]:
        """Return the names of the shards that are done."""
        return {name.partition(".")[0] for name in self.target.names(f"{OWN_FOLDER}/done") if name.endswith(".parquet")}

    def left(self, plan: Plan) -> list[str]:
        """Return the names of the shards that are not done, in order."""
        done = self.done()
        return [name for name in map(shard_name, range(plan.shards)) if name not in done]

    def begin(self, shard: str) -> bool:
        """Mark a shard as begun. Returns True if it was begun before, so that it may have half-written outputs."""
        name = f"{OWN_FOLDER}/started/{shard}"
        if self.target.changed(name) is not None:
            return True
        self.target.write(name, b"\n")
        return False

    def finish(self, shard: str, rows: Iterable[Row], begun: float) -> None:
        """Mark a shard as done, once all its outputs are written.

        Args:
            shard: the name of the shard.
            rows: its results.
            begun: the time when it was begun, in seconds since 1970.
        """
        about = {"begun": repr(begun), "ended": repr(time())}
        self.target.write(_file("done", shard), to_parquet(rows, Row, about))
        self.target.remove(_file("again", shard))

    def rows(self, shard: str) -> tuple[list[Row], float, float]:
        """Return the results of a shard, and the times when it was begun and ended, in seconds since 1970.

        There are no results, and both times are 0, if it is not done.
        """
        data = self.target.read(_file("done", shard))
        if data is None:
            return [], 0.0, 0.0
        rows, about = from_parquet(data, Row)
        return rows, float(about["begun"]), float(about["ended"])

    def all_rows(self) -> Iterator[Row]:
        """Yield the results of all shards that are done, shard after shard."""
        for shard in sorted(self.done()):
            yield from self.rows(shard)[0]

    def reopen(self, shard: str) -> None:
        """Mark a shard to be done again. Its results are kept for the pictures that stay as they are."""
        data = self.target.read(_file("done", shard))
        if data is not None:
            self.target.write(_file("again", shard), data)
            self.target.remove(_file("done", shard))

    def earlier(self, shard: str) -> list[Row]:
        """Return the results of a shard from before `reopen`; an empty list if it was not reopened."""
        data = self.target.read(_file("again", shard))
        return [] if data is None else from_parquet(data, Row)[0]


def shard_name(number: int) -> str:
    """Return the name of a shard."""
    return f"{number:05}"


def _file(kind: str, shard: str) -> str:
    return f"{OWN_FOLDER}/{kind}/{shard}.parquet"
