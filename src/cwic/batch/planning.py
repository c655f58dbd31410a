"""Make a manifest from the listing of a source, and bring it up to date with a later listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cwic.batch.entry import FAILED
from cwic.batch.index import Index
from cwic.batch.listing import OWN_FOLDER, Told, Wanted
from cwic.batch.manifest import SHARD, Manifest, Plan, shard_name
from cwic.batch.sources import entries_of
from cwic.errors import InputError

SHARDS_EACH = 8
"""The least number of shards for each worker if there are few pictures, so that all end at about the same time."""


class Changes(NamedTuple):
    """The numbers of pictures that, in a later listing, have changed, are new, and are gone."""

    changed: int
    new: int
    gone: int


def make_plan(
    manifest: Manifest, plan: Plan, wanted: Wanted, key: Callable[[str], str], *, shard: int | None, workers: int
) -> tuple[Plan, Told]:
    """List a source and write its manifest.

    Args:
        manifest: the manifest to write.
        plan: a plan with `source` and `options`; the rest is filled in.
        wanted: the files to look for.
        key: gives names in the target that are one file the same key.
        shard: the largest number of pictures in a shard; None for `SHARD`, or less if there are few pictures.
        workers: the number of workers that will take shards.

    Raises:
        InputError: there is no picture.
        StoreError: a store does not answer or is full.
    """
    told = Told()
    plan.is_fresh = set(manifest.target.names("")) <= {OWN_FOLDER}
    manifest.mark_begun()
    index = Index(entries_of(plan.source, wanted, told), key)
    try:
        plan.pictures, plan.bytes = index.totals()
        if not plan.pictures and not told.unread:
            left_out = f"; {told.others} other files are" if told.others else ""
            raise InputError(f"there is nothing to do in {plan.source}{left_out}")
        plan.shard = shard or min(SHARD, max(1, -(-plan.pictures // (workers * SHARDS_EACH))))
        plan.shards = manifest.add(index.entries(), plan.shard)
    finally:
        index.close()
    _tell(plan, told)
    manifest.write_plan(plan)
    return plan, told


def update(manifest: Manifest, plan: Plan, wanted: Wanted, key: Callable[[str], str]) -> tuple[Changes, Told]:
    """List the source again, and bring the manifest up to date.

    Shards with changed pictures are to be done again, for these pictures alone. New pictures get new shards. Pictures
    that are gone from the source leave the manifest, but their outputs stay.

    Args:
        manifest: the manifest.
        plan: its plan, which is changed and written.
        wanted: the files to look for.
        key: gives names in the target that are one file the same key.

    Raises:
        StoreError: a store does not answer or is full.
    """
    told = Told()
    changed = gone = 0
    index = Index(entries_of(plan.source, wanted, told), key)
    try:
        for shard in map(shard_name, range(plan.shards)):
            before = manifest.entries(shard)
            now = [index.take(entry) for entry in before]
            entries = [entry for entry in now if entry is not None]
            if entries == before:
                continue
            gone += len(before) - len(entries)
            changed += sum(new is not None and new.version != old.version for old, new in zip(before, now, strict=True))
            # In this order, a run that is killed in between leaves a shard to be done, or finds the change again.
            manifest.reopen(shard)
            manifest.write_entries(shard, entries)
        new = index.count_unseen()
        plan.shards = manifest.add(index.entries(unseen=True), plan.shard, plan.shards)
        plan.pictures, plan.bytes = index.totals()
    finally:
        index.close()
    _tell(plan, told)
    manifest.write_plan(plan)
    return Changes(changed, new, gone), told


def retry_failed(manifest: Manifest) -> int:
    """Mark shards with failed pictures to be done again, for these alone. Returns the number of these pictures."""
    count = 0
    for shard in sorted(manifest.done()):
        failed = sum(row.status == FAILED for row in manifest.rows(shard)[0])
        if failed:
            manifest.reopen(shard)
            count += failed
    return count


def _tell(plan: Plan, told: Told) -> None:
    plan.others = told.others
    plan.unread = [list(pair) for pair in told.unread]
