"""The manifest of a run, in its target: what there is to do, shard by shard, and what is done.

    .cwic-batch/plan.json                what the run is; written last, so that a listing is there whole or not at all
    .cwic-batch/begun                    written first: an output that is older is none of this run
    .cwic-batch/manifest/00000.parquet   entries of a shard
    .cwic-batch/started/00000            somebody began the shard
    .cwic-batch/done/00000.parquet       results of the shard, written after its outputs
    .cwic-batch/again/00000.parquet      earlier results of a shard that is to be done again in part

What is left to do is the difference of the names in manifest/ and done/. Pictures are never counted in memory.
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
"""Pictures of a shard, at most, unless a run says otherwise."""
VERSION = 1
_BEGUN = f"{OWN_FOLDER}/begun"


@dataclass
class Plan:
    """What a run is.

    Attributes:
        source: what was listed.
        options: what the pictures are coded with.
        shard: pictures of a shard, at most.
        shards: how many there are.
        pictures: how many there are.
        bytes: of all sources, as far as known.
        is_fresh: the target was empty: no output there can be anything else's.
        others: files left out.
        unread: what could not be listed, and why.
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
        """What the run is, None before its listing is whole. Raises InputError if a newer cwic wrote it."""
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
        """The listing is whole."""
        self.target.write(f"{OWN_FOLDER}/plan.json", to_json(asdict(plan), indent=1).encode())

    def mark_begun(self) -> None:
        """The run begins, unless it has begun: outputs that are older are not its own."""
        if self.target.changed(_BEGUN) is None:
            self.target.write(_BEGUN, b"\n")

    def begun(self) -> float:
        """When the run began, by the clock of the store; 0 if it does not say."""
        return self.target.changed(_BEGUN) or 0.0

    def tidy(self) -> None:
        """Remove what a killed run left half written among its own files."""
        kinds = ("manifest", "started", "done", "again")
        self.target.tidy([OWN_FOLDER, *(f"{OWN_FOLDER}/{kind}" for kind in kinds)])

    def add(self, entries: Iterable[Entry], size: int, first: int = 0) -> int:
        """Write entries as shards of that size, numbered from `first` on. Returns the number after the last."""
        stream = iter(entries)
        while shard := list(islice(stream, size)):
            self.write_entries(shard_name(first), shard)
            first += 1
        return first

    def entries(self, shard: str) -> list[Entry]:
        """What there is to do in a shard. Raises InputError if it is not there."""
        data = self.target.read(_file("manifest", shard))
        if data is None:
            raise InputError(f"{self.target.url} has no manifest of shard {shard}")
        return from_parquet(data, Entry)[0]

    def write_entries(self, shard: str, entries: list[Entry]) -> None:
        """What there is to do in a shard."""
        self.target.write(_file("manifest", shard), to_parquet(entries, Entry, {}))

    def done(self) -> set[str]:
        """The names of the shards that are done."""
        return {name.partition(".")[0] for name in self.target.names(f"{OWN_FOLDER}/done") if name.endswith(".parquet")}

    def left(self, plan: Plan) -> list[str]:
        """The names of the shards that are not done, in order."""
        done = self.done()
        return [name for name in map(shard_name, range(plan.shards)) if name not in done]

    def begin(self, shard: str) -> bool:
        """Somebody begins a shard. Whether somebody has begun it before, and its outputs may be half there."""
        name = f"{OWN_FOLDER}/started/{shard}"
        if self.target.changed(name) is not None:
            return True
        self.target.write(name, b"\n")
        return False

    def finish(self, shard: str, rows: Iterable[Row], begun: float) -> None:
        """A shard is done: all its outputs are written. `begun` is when, in seconds since 1970."""
        about = {"begun": repr(begun), "ended": repr(time())}
        self.target.write(_file("done", shard), to_parquet(rows, Row, about))
        self.target.remove(_file("again", shard))

    def rows(self, shard: str) -> tuple[list[Row], float, float]:
        """The results of a shard that is done, and when it was begun and ended. None are there if it is not done."""
        data = self.target.read(_file("done", shard))
        if data is None:
            return [], 0.0, 0.0
        rows, about = from_parquet(data, Row)
        return rows, float(about["begun"]), float(about["ended"])

    def all_rows(self) -> Iterator[Row]:
        """The results of all shards that are done, shard after shard."""
        for shard in sorted(self.done()):
            yield from self.rows(shard)[0]

    def reopen(self, shard: str) -> None:
        """A shard is to be done again: what its results say is kept for those that stay as they are."""
        data = self.target.read(_file("done", shard))
        if data is not None:
            self.target.write(_file("again", shard), data)
            self.target.remove(_file("done", shard))

    def earlier(self, shard: str) -> list[Row]:
        """The results of a shard before it was to be done again."""
        data = self.target.read(_file("again", shard))
        return [] if data is None else from_parquet(data, Row)[0]


def shard_name(number: int) -> str:
    """The name of a shard."""
    return f"{number:05}"


def _file(kind: str, shard: str) -> str:
    return f"{OWN_FOLDER}/{kind}/{shard}.parquet"
