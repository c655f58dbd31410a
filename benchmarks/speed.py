"""Encode and decode times of the shipped models on a 768x512 picture, beside Pillow's AVIF at speed 6 and a like size.

All runs alternate, so that whatever else the machine does meets all alike. For `make bench`.

With `--against ../earlier/src --python ../earlier/.venv/bin/python` another version of cwic takes its turn too, in a
process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from types import TracebackType

from PIL import Image, features

import cwic
from cwic.config import PSNR
from cwic.models.catalog import CATALOG
from cwic.networks.engine import engine
from cwic.threads import thread_count

MODELS = tuple(row.name for row in CATALOG.values() if row.shipped and row.tune == PSNR)  # one shape is one speed
QUALITY = 50
SIZE = (768, 512)
REPEATS = 9
AVIF_SPEED = 6
WAYS = ("encode", "decode")

WORKER = """
import sys
from time import perf_counter
from PIL import Image
import cwic

path, model, quality = sys.argv[1:]
image = Image.open(path).convert("RGB")
encode = lambda: cwic.encode(image, quality=float(quality), model=model, strip=True)
data = encode()
cwic.decode(data)
print(len(data), flush=True)
for line in sys.stdin:
    start = perf_counter()
    encode() if line.strip() == "encode" else cwic.decode(data)
    print(1000 * (perf_counter() - start), flush=True)
"""
"""What another version runs: it answers with the size of its file, then to each way with milliseconds."""


class Other:
    """A model of another version of cwic, loaded in a process of its own."""

    def __init__(self, source: Path, python: str, picture: Path, model: str) -> None:
        """Starts it, with the package in the folder `source`. Raises `EOFError` if that cannot code `picture`."""
        # Threads of torch that spin while they wait would take the cores from the other version.
        environment = os.environ | {"PYTHONPATH": str(source), "OMP_WAIT_POLICY": "passive"}
        self._process = subprocess.Popen(
            [python, "-c", WORKER, str(picture), model, str(QUALITY)],
            cwd=source,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.size = int(self._answer())

    def milliseconds(self, way: str) -> float:
        """How long one of WAYS takes there, once."""
        assert self._process.stdin is not None
        print(way, file=self._process.stdin, flush=True)
        return float(self._answer())

    def __enter__(self) -> Other:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise EOFError("the other version ended; what it said is above")
        return line


def picture() -> tuple[str, Image.Image]:
    """A name and an RGB picture of SIZE: Kodak's 23rd where CWIC_DATA has it, else the bundled coffee cup."""
    kodak = Path(os.environ.get("CWIC_DATA", "")) / "kodak" / "kodim23.png"
    path = kodak if kodak.is_file() else Path(__file__).parents[1] / "examples" / "coffee.png"
    image = Image.open(path).convert("RGB")
    return path.name, image if image.size == SIZE else image.resize(SIZE, Image.Resampling.LANCZOS)


def milliseconds(work: Callable[[], object]) -> float:
    """How long `work` takes, once."""
    start = perf_counter()
    work()
    return 1000 * (perf_counter() - start)


def measure(model: str, image: Image.Image, other: Other | None) -> None:
    """Measure a model beside AVIF, and beside the other version where there is one, and print."""

    def avif(quality: int) -> bytes:
        file = BytesIO()
        image.save(file, "AVIF", quality=quality, speed=AVIF_SPEED, max_threads=thread_count())
        return file.getvalue()

    encode = partial(cwic.encode, image, quality=QUALITY, model=model, strip=True)
    ours = encode()
    cwic.decode(ours)  # the model is loaded now, for both directions
    avif_quality = bisect_left(range(100), len(ours), key=lambda quality: len(avif(quality)))
    theirs = avif(avif_quality)

    clocks: dict[str, Callable[[], float]] = {
        "cwic encode": lambda: milliseconds(encode),
        "AVIF encode": lambda: milliseconds(lambda: avif(avif_quality)),
        "cwic decode": lambda: milliseconds(lambda: cwic.decode(ours)),
        "AVIF decode": lambda: milliseconds(lambda: Image.open(BytesIO(theirs)).load()),
    }
    if other is not None:
        clocks |= {f"other {way}": partial(other.milliseconds, way) for way in WAYS}
    times: dict[str, list[float]] = {key: [] for key in clocks}
    for _ in range(REPEATS):
        for key, clock in clocks.items():
            times[key].append(clock())
    medians = {key: median(values) for key, values in times.items()}

    sizes = f"{len(ours)} bytes; AVIF speed {AVIF_SPEED}, quality {avif_quality}: {len(theirs)} bytes"
    print(f"\ncwic {model}, quality {QUALITY}: {sizes}" + (f"; other: {other.size} bytes" if other else ""))
    peers = ("AVIF", "other") if other else ("AVIF",)
    print(f"{'':<8}{'cwic':>10}" + "".join(f"{peer:>10}{f'cwic/{peer}':>12}" for peer in peers))
    for way in WAYS:
        own = medians[f"cwic {way}"]
        beside = ((found := medians[f"{peer} {way}"], own / found) for peer in peers)
        print(f"{way:<8}{own:>10.1f}" + "".join(f"{found:>10.1f}{ratio:>12.2f}" for found, ratio in beside))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, metavar="SRC", help="the src folder of another version of cwic")
    parser.add_argument("--python", default=sys.executable, help="what runs the other version, with its packages")
    options = parser.parse_args(arguments)
    if options.against is not None and not (options.against / "cwic" / "__init__.py").is_file():
        parser.error(f"there is no package cwic in {options.against}")

    name, image = picture()
    runs = engine("cpu")
    print(f"{name} at {SIZE[0]}x{SIZE[1]}; {thread_count()} threads each, {os.cpu_count()} cores")
    reduced = ", in bfloat16" if runs.bfloat16 else ""
    release = import_module(runs.name).__version__.split("-")[0]
    print(f"{runs.name} {release}{reduced}; libavif {features.version('avif')}")
    print(f"medians of {REPEATS} runs in turn, models loaded, in ms")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        image.save(file)
        for model in MODELS:
            with ExitStack() as stack:
                other = None
                if options.against is not None:
                    try:
                        other = stack.enter_context(Other(options.against.resolve(), options.python, file, model))
                    except EOFError:
                        print(f"\n{options.against} has no {model}, or cannot run it: see above")
                measure(model, image, other)


if __name__ == "__main__":
    main()
