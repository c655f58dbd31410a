"""Shards on Ray: one node of one processor on this machine, started once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cwic.batch.entry import Entry
from cwic.batch.manifest import Manifest, Plan, shard_name
from cwic.batch.patience import StoreError
from cwic.batch.shard import Coded, Coding, Counts, Task
from cwic.batch.store import Target

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Any]:
    """The module, joined to a cluster."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported: it asks nobody on the network
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install cwic[cluster]")
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install cwic[cluster]")
    variables = {"CWIC_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    for tries_left in (2, 1, 0):  # Ray gives its own agent 15 s to start: too few on a busy machine
        try:
            ray.init(
                address="local",  # not a cluster that this machine happens to have
                num_cpus=1,
                include_dashboard=False,
                object_store_memory=80_000_000,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": variables},
            )
            break
        except Exception:
            ray.shutdown()
            if not tries_left:
                raise
    from cwic.batch import on_ray

    yield on_ray
    ray.shutdown()


def _manifest(places: Any, shards: int) -> Manifest:
    manifest = Manifest(Target(str(places.target)))
    for number in range(shards):
        (places.source / f"{number}.t").write_text(f"text {number}")
    entries = [Entry(str(places.source / f"{number}.t"), output=f"{number}.cwic") for number in range(shards)]
    manifest.add(entries, 1)
    manifest.write_plan(Plan("s", {}, shards=shards, pictures=shards))
    return manifest


def _run(on_ray: Any, manifest: Manifest, coder: object, shards: int) -> list[Counts]:
    options: dict[str, Any] = {"is_fresh": True, "force": False, "cpus": 1, "gpus": 0, "at_most": None}
    return list(on_ray.do_shards([shard_name(n) for n in range(shards)], manifest.target.url, coder, **options))


def test_a_worker_that_is_killed_costs_nothing(on_ray: Any, places: Any, tmp_path: Path) -> None:
    flag = str(tmp_path / "killed")

    class Coder:  # in a function, so that it goes to the worker whole: the worker cannot import this file
        name, at_a_time = "kill", 1

        def coded(self, tasks: Iterable[Task]) -> Coding:
            for task in tasks:
                data = Path(task.source).read_bytes()
                if data == b"text 1" and not os.path.exists(flag):
                    with open(flag, "w"):
                        os.kill(os.getpid(), signal.SIGKILL)
                yield task.number, Coded(data.upper(), 1, 1)

    manifest = _manifest(places, 3)
    assert on_ray.connect("auto") == 1
    assert _run(on_ray, manifest, Coder(), 3) == [Counts(1, 0, 0)] * 3
    assert os.path.exists(flag)
    assert [Path(places.target, f"{n}.cwic").read_bytes() for n in range(3)] == [b"TEXT 0", b"TEXT 1", b"TEXT 2"]
    assert manifest.done() == {"00000", "00001", "00002"}


def test_a_store_that_is_gone_ends_the_run(on_ray: Any, places: Any) -> None:
    class Coder:
        name, at_a_time = "gone", 1

        def coded(self, tasks: Iterable[Task]) -> Coding:
            from cwic.batch.patience import StoreError

            raise StoreError("no answer")

    manifest = _manifest(places, 1)
    with pytest.raises(StoreError, match="no answer"):
        _run(on_ray, manifest, Coder(), 1)
    assert manifest.done() == set()


def test_the_command(on_ray: Any, places: Any, run_cwic: Run, tmp_path: Path) -> None:
    for number in range(2):
        Image.effect_noise((24, 16), 50).convert("RGB").save(places.source / f"{number}.png")
    answer = run_cwic("batch", places.source, places.target, "--ray", "auto", "--include", "*.png", "--shard", "1")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(b"2 of 2 pictures, 2 of 2 shards")
    run_cwic("encode", places.source, "-o", tmp_path / "one", "--include", "*.png")
    for number in range(2):
        name = f"{number}.cwic"
        assert (places.target / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_without_a_cluster_there(run_cwic: Run, places: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install cwic[cluster]")

    def init(**_: object) -> None:
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    answer = run_cwic("batch", places.source, places.target, "--ray", "127.0.0.1:1")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert "no Ray cluster at '127.0.0.1:1': nobody is there" in answer.err
