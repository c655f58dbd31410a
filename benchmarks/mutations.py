"""What damaged files end in: errors with a name, never a crash, a hang or a memory bomb.

    python benchmarks/mutations.py [--plugin] [--count COUNT] [--seed SEED]

Decodes COUNT mutated files (20,000 by default) in this process, every tenth with `recover`, and prints how they ended,
the slowest and the peak memory. With `--plugin` Pillow opens, verifies and loads the same files. Any other outcome is
shown with the file that gave it, and fails the run. The limit on pixels is 64 megapixels: what is recovered of a
picture takes 7 bytes of memory for each of its pixels.
"""

from __future__ import annotations

import argparse
import resource
import runpy
import sys
import traceback
from collections import Counter
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from time import perf_counter

from PIL import Image

FUZZ = Path(__file__).parents[1] / "tests" / "fuzz"
LIMIT_SECONDS = 5
LIMIT_MIB = 1024


def main(count: int, seed: int, plugin: bool) -> int:
    """Mutate, decode, count and print; the number of outcomes that must not be."""
    import cwic
    from cwic.plugin import register

    register()
    mutate = runpy.run_path(str(FUZZ / "mutate.py"))
    random = Random(seed)
    seeds = runpy.run_path(str(FUZZ / "seeds.py"))["seeds"]()
    ends: dict[str, Counter[str]] = {mutation.__name__: Counter() for mutation in mutate["MUTATIONS"]}
    slowest = 0.0
    failures = 0
    for number in range(count):
        mutation = mutate["MUTATIONS"][number % len(mutate["MUTATIONS"])]
        data = mutation(random.choice(seeds), random, seeds)
        decode = partial(cwic.recover if number % 10 == 9 else cwic.decode, limits=cwic.Limits(max_pixels=1 << 26))
        start = perf_counter()
        try:
            end = opened(data) if plugin else mutate["outcome"](decode, data)
            ends[mutation.__name__][end] += 1
        except BaseException:
            failures += 1
            Path(f"failure-{number}.cwic").write_bytes(data)
            traceback.print_exc()
        if number % 1000 == 999:
            print(f"{number + 1}: {failures} failures", file=sys.stderr, flush=True)
        slowest = max(slowest, perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, counter in ends.items():
        print(f"{name:<20}{sum(counter.values()):>7}  " + "  ".join(f"{k} {v}" for k, v in sorted(counter.items())))
    total = sum(ends.values(), Counter())
    print(f"{'all':<20}{sum(total.values()):>7}  " + "  ".join(f"{k} {v}" for k, v in sorted(total.items())))
    print(f"other outcomes {failures}; slowest {slowest:.2f} s; peak {peak:.0f} MiB")
    return failures + (slowest > LIMIT_SECONDS) + (peak > LIMIT_MIB)


def opened(data: bytes) -> str:
    """How Pillow gets on with a file: `decoded`, or an error that its callers expect."""
    try:
        with Image.open(BytesIO(data)) as image:
            image.verify()
        with Image.open(BytesIO(data)) as image:
            image.load()
    except (OSError, Image.DecompressionBombError) as error:
        return type(error).__name__
    return "decoded"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugin", action="store_true")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    sys.exit(main(chosen.count, chosen.seed, chosen.plugin) > 0)
