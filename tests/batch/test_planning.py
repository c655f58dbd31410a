from __future__ import annotations

import os
from typing import Any

import pytest

from cwic.batch.manifest import Manifest, Plan
from cwic.batch.planning import Changes, make_plan, retry_failed, update
from cwic.batch.shard import Counts, do_shard
from cwic.batch.store import Target
from cwic.errors import InputError


@pytest.fixture
def manifest(places: Any) -> Manifest:
    return Manifest(Target(str(places.target)))


def _plan(manifest: Manifest, places: Any, shard: int | None = 2, workers: int = 1) -> Plan:
    return make_plan(manifest, Plan(str(places.source), {}), places.wanted(), str, shard=shard, workers=workers)[0]


def test_a_listing_becomes_shards(manifest: Manifest, places: Any) -> None:
    plan = _plan(manifest, places)
    assert manifest.plan() == plan
    assert (plan.pictures, plan.bytes, plan.shards, plan.shard, plan.is_fresh, plan.others) == (3, 10, 2, 2, True, 1)
    outputs = [[entry.output for entry in manifest.entries(shard)] for shard in manifest.left(plan)]
    assert outputs == [["a.cwic", "bad.cwic"], ["sub/b.cwic"]]


def test_few_pictures_are_shared_out(manifest: Manifest, places: Any) -> None:
    for number in range(40):
        (places.source / f"{number}.t").write_text("x")
    assert _plan(manifest, places, None, workers=2).shard == 3  # 43 pictures, 16 shards


def test_a_target_with_something_in_it(manifest: Manifest, places: Any) -> None:
    places.target.mkdir()
    (places.target / "x").write_text("x")
    assert not _plan(manifest, places).is_fresh


def test_nothing_to_do(manifest: Manifest, places: Any) -> None:
    for name in ("a.t", "bad.t", "sub/b.t"):
        (places.source / name).unlink()
    with pytest.raises(InputError, match=r"nothing to do in .*; 1 other files are"):
        _plan(manifest, places)
    assert manifest.plan() is None


def test_what_changed_is_done_again_alone(manifest: Manifest, places: Any, upper: Any) -> None:
    plan = _plan(manifest, places)

    def run() -> list[Counts]:
        return [do_shard(shard, str(places.target), upper, is_fresh=True, force=False) for shard in manifest.left(plan)]

    run()
    assert update(manifest, plan, places.wanted(), str)[0] == Changes(0, 0, 0)
    assert manifest.left(plan) == []
    (places.source / "a.t").write_text("another")
    (places.source / "new.t").write_text("new")
    (places.source / "sub" / "b.t").unlink()
    upper.given.clear()
    changes, told = update(manifest, plan, places.wanted(), str)
    assert changes == Changes(1, 1, 1)
    assert told.others == 1
    assert manifest.plan() == plan
    assert (plan.pictures, plan.shards) == (3, 3)
    assert manifest.left(plan) == ["00000", "00001", "00002"]
    assert run() == [Counts(1, 1, 0), Counts(0, 0, 0), Counts(1, 0, 0)]
    assert upper.given == [b"another", b"bad", b"new"]
    assert (places.target / "a.cwic").read_bytes() == b"ANOTHER"
    assert (places.target / "sub" / "b.cwic").read_bytes() == b"BE"
    assert update(manifest, plan, places.wanted(), str)[0] == Changes(0, 0, 0)


def test_what_failed_is_tried_again_alone(manifest: Manifest, places: Any, upper: Any) -> None:
    plan = _plan(manifest, places)
    for shard in manifest.left(plan):
        do_shard(shard, str(places.target), upper, is_fresh=True, force=False)
    assert retry_failed(manifest) == 1
    assert manifest.left(plan) == ["00000"]
    (places.source / "bad.t").write_text("good")
    assert do_shard("00000", str(places.target), upper, is_fresh=True, force=False) == Counts(1, 0, 1)
    assert retry_failed(manifest) == 0


def test_outputs_of_the_shards_in_flight_stay_its_own_when_the_source_is_listed_again(
    manifest: Manifest, places: Any, upper: Any
) -> None:
    places.target.mkdir()
    (places.target / "other").write_text("x")
    plan = _plan(manifest, places)
    manifest.begin("00000")
    manifest.target.write("a.cwic", b"of a killed run")
    (places.source / "new.t").write_text("new")
    update(manifest, plan, places.wanted(), str)
    later = (places.target / "a.cwic").stat().st_mtime + 60
    os.utime(places.target / ".cwic-batch" / "plan.json", (later, later))
    assert do_shard("00000", str(places.target), upper, is_fresh=plan.is_fresh, force=False) == Counts(1, 1, 0)
    assert (places.target / "a.cwic").read_bytes() == b"ALPHA"
