"""Do shards on a Ray cluster. Ray Data runs each as a task, and runs it again if its machine fails.

These are tasks, not actors, because a task whose machine fails goes to any other machine. A call of an actor would wait
until the actor gets a new machine, which never happens while all are busy. A worker process keeps its coder, and with
it the model, from one task to the next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from cwic.batch.entry import EXTRA
from cwic.batch.patience import StoreError
from cwic.batch.shard import Coder, Counts, do_shard
from cwic.errors import CwicError, InputError
from cwic.extras import require

_KEPT: dict[str, Coder] = {}
"""The coders of this worker process, by name."""


def connect(address: str) -> int:
    """Join a cluster and return the number of its processors.

    Args:
        address: HOST:PORT, or "auto" for the cluster of this machine.

    Raises:
        InputError: there is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = require("ray", EXTRA)
    require("ray.data", EXTRA)
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())
            raise InputError(f"no Ray cluster at {address!r}: {text}") from error
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def do_shards(
    shards: Sequence[str],
    target: str,
    coder: Coder,
    *,
    is_fresh: bool,
    force: bool,
    cpus: float,
    gpus: float,
    at_most: int | None,
) -> Iterator[Counts]:
    """Do shards on the cluster that `connect` joined.

    Args:
        shards: the names of the shards.
        target: as in `do_shard`; every machine must reach it.
        coder: the coder; each worker gets a copy.
        is_fresh: as in `do_shard`.
        force: as in `do_shard`.
        cpus: the processors that a task takes.
        gpus: the GPUs that a task takes, or a part of one.
        at_most: the largest number of tasks at a time; None for as many as fit.

    Yields:
        The counts of each shard, in the order in which they end.

    Raises:
        StoreError: a store does not answer or is full.
        CwicError: Ray fails.
    """
    ray = require("ray", EXTRA)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    work = partial(_do, target=target, coder=coder, is_fresh=is_fresh, force=force)
    rows = ray.data.from_items([{"shard": name} for name in shards], override_num_blocks=len(shards)).map_batches(
        work, batch_size=1, num_cpus=cpus, num_gpus=gpus or None, concurrency=at_most
    )
    try:
        for row in rows.iter_rows():
            if row["error"]:
                raise StoreError(row["error"])
            yield Counts(row["coded"], row["failed"], row["kept"])
    except ray.exceptions.RayError as error:
        raise CwicError(f"Ray failed: {' '.join(str(error).split())[-300:]}") from error


def _do(batch: dict[str, Any], *, target: str, coder: Coder, is_fresh: bool, force: bool) -> dict[str, list[Any]]:
    """Do a batch of shards. This is the task that runs on a worker."""
    result: dict[str, list[Any]] = {name: [] for name in ("coded", "failed", "kept", "error")}
    mine = _KEPT.setdefault(coder.name, coder)
    for shard in batch["shard"]:
        counts, error = Counts(0, 0, 0), ""
        try:
            counts = do_shard(str(shard), target, mine, is_fresh=is_fresh, force=force)
        except StoreError as stop:  # repeating does not help, so Ray must not see it as a failure
            error = str(stop)
        for name, value in [*counts._asdict().items(), ("error", error)]:
            result[name].append(value)
    return result
