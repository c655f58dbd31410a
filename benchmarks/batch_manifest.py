"""What a long manifest takes: listing, finding what is left, and summing up, of many tiny files.

    python benchmarks/batch_manifest.py [ENTRIES]      # 200,000 by default, and a quarter of them for comparison

Each step runs in a process of its own, for its peak of memory. Ends with 1 if memory grows with the entries.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

STEPS = ("list", "finish", "resume", "change", "status")
HEADROOM_MB = 30.0


def main(entries: int = 200_000) -> int:
    """Print seconds and peaks; how many peaks grow with the entries."""
    peaks = {}
    for count in (entries // 4, entries):
        place = tempfile.mkdtemp()
        try:
            for number in range(count):
                folder = Path(place, "in", f"{number // 1000:04}")
                if number % 1000 == 0:
                    folder.mkdir(parents=True)
                os.close(os.open(folder / f"{number:07}.png", os.O_CREAT | os.O_WRONLY))
            for what in STEPS:
                command = [sys.executable, __file__, what, place]
                found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
                peaks[what, count] = found["MB"]
                line = f"{count} entries: {what:<7} {found['seconds']:6.1f} s, peak {found['MB']:.0f} MB"
                print(f"{line}, {found['said']}", flush=True)
        finally:
            shutil.rmtree(place)
    wrong = 0
    for what in STEPS:
        few, many = peaks[what, entries // 4], peaks[what, entries]
        wrong += many > few + HEADROOM_MB
        print(f"{'WRONG' if many > few + HEADROOM_MB else 'ok'}: {what}: {few:.0f} MB -> {many:.0f} MB")
    return wrong


def step(what: str, place: str) -> None:
    """One step; its seconds and peak memory, as JSON."""
    from cwic.batch.entry import CODED, row_of
    from cwic.batch.listing import Wanted
    from cwic.batch.manifest import Manifest, Plan
    from cwic.batch.planning import make_plan, update
    from cwic.batch.status import status_of
    from cwic.batch.store import Target
    from cwic.cli.tree import Patterns

    source, target = os.path.join(place, "in"), os.path.join(place, "out")
    manifest = Manifest(Target(target))
    wanted = Wanted(lambda suffix: suffix == ".png", ".cwic", Patterns(), target)
    begin = perf_counter()
    if what == "list":
        plan, _ = make_plan(manifest, Plan(source, {}), wanted, str, shard=None, workers=2)
        said = f"{plan.pictures} pictures in {plan.shards} shards"
    else:
        plan = manifest.plan() or Plan(source, {})
        if what == "finish":  # as if every second shard were coded
            for shard in manifest.left(plan)[::2]:
                manifest.finish(shard, [row_of(entry, CODED, bytes=1) for entry in manifest.entries(shard)], 0.0)
        elif what == "change":
            print(update(manifest, plan, wanted, str)[0], file=sys.stderr)
        said = str(status_of(manifest, plan)) if what == "status" else f"{len(manifest.left(plan))} shards left"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": perf_counter() - begin, "MB": peak, "said": said}))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in STEPS:
        step(*sys.argv[1:])
    else:
        sys.exit(main(*map(int, sys.argv[1:])) > 0)
