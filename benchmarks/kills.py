"""What a killed encoder leaves: the old file or the new one, never less.

    python benchmarks/kills.py [COUNT]

Encodes over an existing file and kills the process after a random time, COUNT times (50 by default).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter, sleep

import cwic

PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "chelsea.png"
ENCODE = "import sys; from cwic.cli import main; sys.argv = ['cwic', 'encode', *sys.argv[1:]]; main()"


def start(target: Path) -> subprocess.Popen[bytes]:
    """An encoder at work."""
    command = [sys.executable, "-c", ENCODE, str(PHOTOGRAPH), "-f", "-q", "70", "-o", str(target)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def main(count: int = 50, seed: int = 0) -> int:
    """Kill and check; the number of files that were neither the old nor the new one."""
    random = Random(seed)
    bad = old_left = new_left = finished = strays = 0
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "photo.cwic"
        begin = perf_counter()
        start(target).wait()
        begin = perf_counter()
        start(target).wait()
        seconds = perf_counter() - begin
        new = target.read_bytes()
        old = cwic.encode(cwic.decode(new).resize((64, 64)))
        for _ in range(count):
            target.write_bytes(old)
            process = start(target)
            # Half of them near the end, where the file is written.
            sleep(seconds * (random.uniform(0, 1) if random.random() < 0.5 else random.uniform(0.6, 1)))
            process.kill()
            finished += process.wait() == 0
            found = target.read_bytes()
            bad += found not in (old, new)
            old_left += found == old
            new_left += found == new
            for stray in Path(folder).glob(".cwic-*.tmp"):
                strays += 1
                stray.unlink()
    print(f"{count} kills: {old_left} left the old file, {new_left} the new one ({finished} had ended), {bad} neither;")
    print(f"{strays} temporary files were left")
    return bad


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
