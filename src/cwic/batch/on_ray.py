"""Shards on a Ray cluster: Ray Data hands them out, one task each, and starts those again that a machine took with it.

Tasks and not actors: the task of an actor whose machine is gone waits until the actor has a machine again, which where
all are busy is never, while a task goes to any other. A worker process keeps its coder, and with it the model, from one
task to the next.
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
"""The coder of this worker process, by its name."""


def connect(address: str) -> int:
    """Join a cluster ("auto": the one of this machine). Returns its processors. Raises InputError if there is none."""
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
    """Do shards on the cluster that `connect` joined; what came of each, in the order in which they end.

    Args:
        shards: their names.
        target: as in `do_shard`, seen from every machine.
        coder: a copy of it goes to each worker.
        is_fresh: as in `do_shard`.
        force: as in `do_shard`.
        cpus: processors that a task takes.
        gpus: graphics processors that a task takes, or a part of one.
        at_most: tasks at a time; None for as many as there is room for.

    Raises StoreError if a store does not answer or is full, CwicError if Ray fails.
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
    """The task: on a worker."""
    result: dict[str, list[Any]] = {name: [] for name in ("coded", "failed", "kept", "error")}
    mine = _KEPT.setdefault(coder.name, coder)
    for shard in batch["shard"]:
        counts, error = Counts(0, 0, 0), ""
        try:
            counts = do_shard(str(shard), target, mine, is_fresh=is_fresh, force=force)
        except StoreError as stop:  # the same at every try: no reason for Ray to repeat it
            error = str(stop)
        for name, value in [*counts._asdict().items(), ("error", error)]:
            result[name].append(value)
    return result
