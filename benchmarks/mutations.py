"""What damaged files end in: errors with a name, never a crash, a hang or a memory bomb.

    python benchmarks/mutations.py [COUNT] [SEED]

Decodes COUNT mutated files (20,000 by default) in this process, every tenth with `recover`, and prints how they ended,
the slowest and the peak memory. Any other outcome is shown with the file that gave it, and fails the run. The limit on
pixels is 64 megapixels: what is recovered of a picture takes 7 bytes of memory for each of its pixels.
"""

from __future__ import annotations

import resource
import runpy
import sys
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter

FUZZ = Path(__file__).parents[1] / "tests" / "fuzz"
LIMIT_SECONDS = 5
LIMIT_MIB = 1024


def main(count: int = 20_000, seed: int = 0) -> int:
    """Mutate, decode, count and print; the number of outcomes that must not be."""
    import cwic

    mutate = runpy.run_path(str(FUZZ / "mutate.py"))
    random = Random(seed)
    seeds = runpy.run_path(str(FUZZ / "seeds.py"))["seeds"]()
    ends: dict[str, Counter[str]] = {mutation.__name__: Counter() for mutation in mutate["MUTATIONS"]}
    slowest = 0.0
    failures = 0
    for number in range(count):
        mutation = mutate["MUTATIONS"][number % len(mutate["MUTATIONS"])]
        data = mutation(random.choice(seeds), random, seeds)
        work = partial(cwic.recover if number % 10 == 9 else cwic.decode, limits=cwic.Limits(max_pixels=1 << 26))
        start = perf_counter()
        try:
            ends[mutation.__name__][mutate["outcome"](work, data)] += 1
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


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
