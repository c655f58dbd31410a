from __future__ import annotations

from typing import Any

import pytest

from cwic.batch.entry import CODED, Entry, row_of
from cwic.batch.manifest import Manifest, Plan
from cwic.batch.store import Target
from cwic.errors import InputError

ENTRIES = [Entry(str(number), size=number, output=f"{number}.cwic") for number in range(5)]


@pytest.fixture(params=["local", "memory"])
def manifest(request: pytest.FixtureRequest, places: Any, memory: str) -> Manifest:
    return Manifest(Target(str(places.target) if request.param == "local" else memory))


def test_what_is_left_is_the_difference_of_names(manifest: Manifest) -> None:
    assert manifest.plan() is None
    assert manifest.add(ENTRIES, 2) == 3
    plan = Plan("s", {"quality": 5.0}, shards=3)
    manifest.write_plan(plan)
    assert manifest.plan() == plan
    assert manifest.begun() == 0
    manifest.mark_begun()
    begun = manifest.begun()
    manifest.mark_begun()
    assert manifest.begun() == begun > 0
    assert manifest.left(plan) == ["00000", "00001", "00002"]
    assert manifest.entries("00002") == ENTRIES[4:]
    assert not manifest.begin("00001")
    assert manifest.begin("00001")
    rows = [row_of(entry, CODED) for entry in ENTRIES[2:4]]
    manifest.finish("00001", rows, 5.0)
    assert manifest.left(plan) == ["00000", "00002"]
    found, begun, ended = manifest.rows("00001")
    assert (found, begun) == (rows, 5.0)
    assert ended > begun
    assert list(manifest.all_rows()) == rows


def test_a_shard_that_is_to_be_done_again_keeps_its_results_until_then(manifest: Manifest) -> None:
    manifest.add(ENTRIES, 5)
    rows = [row_of(entry, CODED) for entry in ENTRIES]
    manifest.finish("00000", rows, 0.0)
    manifest.reopen("00000")
    manifest.reopen("00000")
    assert manifest.done() == set()
    assert manifest.rows("00000") == ([], 0.0, 0.0)
    assert manifest.earlier("00000") == rows
    manifest.finish("00000", rows[:1], 0.0)
    assert manifest.earlier("00000") == []


def test_what_a_killed_run_left_among_its_own_files_is_removed(manifest: Manifest) -> None:
    manifest.add(ENTRIES, 5)
    left = f".cwic-{'0' * 16}.tmp"
    for place in (".cwic-batch", ".cwic-batch/started", ".cwic-batch/done"):
        manifest.target.write(f"{place}/{left}", b"half")
    manifest.tidy()
    assert [manifest.target.names(f".cwic-batch/{kind}") for kind in ("started", "done")] == [[], []]
    assert left not in manifest.target.names(".cwic-batch")
    assert manifest.entries("00000") == ENTRIES


def test_plans_of_others_are_refused(manifest: Manifest) -> None:
    manifest.target.write(".cwic-batch/plan.json", b'{"version": 2}')
    with pytest.raises(InputError, match="not of this version"):
        manifest.plan()
    with pytest.raises(InputError, match="no manifest of shard 00007"):
        manifest.entries("00007")
