"""What a killed run over a folder leaves: whole outputs, and a run started again that does only what is missing.

    python benchmarks/folder_kills.py [COUNT]

Encodes 24 pictures, two at a time, kills the command after a random time and starts it again with --skip-existing,
COUNT times (10 by default). Then lets it end, and compares with a run that nobody killed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter, sleep

from PIL import Image

import cwic
from cwic.errors import FormatError

PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "coffee.png"
PICTURES, SIDE = 24, 128


def start(photos: Path, out: Path) -> subprocess.Popen[str]:
    """A run at work."""
    command = [sys.executable, "-m", "cwic", "encode", str(photos), "-o", str(out), "-j", "2", "--skip-existing"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def make_pictures(folder: Path) -> None:
    """Parts of a photograph, in a tree."""
    with Image.open(PHOTOGRAPH) as photograph:
        for number in range(PICTURES):
            left, top = number * 11 % (photograph.width - SIDE), number * 7 % (photograph.height - SIDE)
            path = folder / str(number % 3) / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            photograph.crop((left, top, left + SIDE, top + SIDE)).save(path)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a tree."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damaged(found: dict[str, bytes]) -> int:
    """How many outputs are not whole."""
    bad = 0
    for name, data in found.items():
        try:
            if name.endswith(".cwic"):
                cwic.read_info(data)
        except FormatError:
            bad += 1
    return bad


def main(count: int = 10, seed: int = 0) -> int:
    """Kill and start again; how many outputs were damaged, coded twice, or not as an unbroken run makes them."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        photos, unbroken, out = (Path(folder) / name for name in ("photos", "unbroken", "out"))
        make_pictures(photos)
        begin = perf_counter()
        start(photos, unbroken).communicate()
        seconds = perf_counter() - begin
        bad = strays = kills = 0
        times: dict[str, int] = {}
        done: list[int] = []
        for turn in range(count):
            process = start(photos, out)
            if turn % 2:  # while outputs are written; else at any time, and often before the first
                while process.poll() is None and len(list(out.rglob("*.cwic"))) <= len(times):
                    sleep(0.005)
            sleep(random.uniform(0, seconds / (20 if turn % 2 else 2)))
            kills += process.poll() is None
            process.kill()
            process.communicate()
            found = contents(out)
            strays += sum(name.endswith(".tmp") for name in found)
            bad += damaged(found)
            now = {name: (out / name).stat().st_mtime_ns for name in found if name.endswith(".cwic")}
            bad += sum(now.get(name) != time for name, time in times.items())
            times = now
            done.append(len(now))
        process = start(photos, out)
        _, said = process.communicate()
        last = contents(out)
        bad += sum((out / name).stat().st_mtime_ns != time for name, time in times.items())
        bad += len(last.items() ^ contents(unbroken).items()) + process.returncode
    print(f"{kills} kills, after which there were {', '.join(map(str, done))} of {PICTURES} outputs; {said.strip()}")
    print(f"{strays} temporary files were left on the way; {bad} outputs damaged, coded twice or different at the end")
    return bad


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
