"""Encode and decode times beside Pillow's AVIF at speed 6 and a like size: whole commands, and with the model loaded.

    python benchmarks/speed.py [--size small|large] [--model NAME]   # cwic beside AVIF, on one core and on two
    python benchmarks/speed.py --against ../earlier/src --python ../earlier/.venv/bin/python --keep

All that is compared takes turns, so that whatever else the machine does meets all alike. With `--against`, another
version of cwic takes its turn too, in processes of its own; `--keep` puts medians and ratios into results/speed/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import date
from importlib import import_module
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple

from PIL import Image, features

import cwic
from cwic.image.files import write_atomically
from cwic.libraries import chosen
from cwic.models.catalog import CATALOG, shipped
from cwic.networks.engine import Native, engine

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "results" / "speed"
MODELS = tuple({CATALOG[name].config: name for name in reversed(shipped())}.values())  # one shape is one speed
QUALITY = 50
SIZES = {"small": (768, 512), "large": (4000, 3000)}
RUNS = 7
AVIF_SPEED = 6
WAYS = ("encode", "decode")
STARTS = ("loaded", "command")
"""In a process that has coded before, and as a process of its own from its start to its end."""

CWIC = """
import cwic
encode = lambda: cwic.encode(image, quality=float(quality), model=model, strip=True)
decode = lambda data: cwic.decode(data, model=model if "." in model else None)
"""
AVIF = """
def encode():
    file = BytesIO()
    image.save(file, "AVIF", quality=int(quality), speed=6, max_threads=int(threads))
    return file.getvalue()
decode = lambda data: Image.open(BytesIO(data)).load()
"""
WORKER = """
import sys
from io import BytesIO
from time import perf_counter
from PIL import Image
path, model, quality, threads = sys.argv[1:]
image = Image.open(path).convert("RGB")
{codec}
data = encode()
decode(data)
print(len(data), flush=True)
for line in sys.stdin:
    start = perf_counter()
    encode() if line.strip() == "encode" else decode(data)
    print(perf_counter() - start, flush=True)
"""
"""It answers with the size of its file, then to each way with seconds."""
CWIC_COMMAND = "from cwic.cli import main; main()"
AVIF_COMMAND = """
import sys
from PIL import Image
way, source, target, quality, threads = sys.argv[1:]
with Image.open(source) as image:
    image = image.convert("RGB")
    options = {"quality": int(quality), "speed": 6, "max_threads": int(threads)} if way == "encode" else {}
    image.save(target, **options)
"""


class Subject(NamedTuple):
    """Something that codes: `kind` is cwic, other or AVIF; with the Python that runs it and its environment."""

    kind: str
    model: str
    quality: str
    python: str
    environment: dict[str, str]

    def command(self, way: str, source: Path, target: Path, threads: int) -> list[str]:
        """A whole command."""
        if self.kind == "AVIF":
            return [self.python, "-c", AVIF_COMMAND, way, str(source), str(target), self.quality, str(threads)]
        options = ["-q", self.quality, "--strip"] if way == "encode" else []
        if way == "encode" or "." in self.model:  # a file does not say where its weights are
            options += ["-m", self.model]
        return [self.python, "-c", CWIC_COMMAND, way, str(source), "-o", str(target), "-f", *options]


class Worker:
    """A subject loaded in a process of its own, with so many cores and threads."""

    def __init__(self, subject: Subject, picture: Path, threads: int) -> None:
        """Starts it. Raises `EOFError` if it cannot code `picture`."""
        script = WORKER.format(codec=AVIF if subject.kind == "AVIF" else CWIC)
        self._process = subprocess.Popen(
            [subject.python, "-c", script, str(picture), subject.model, subject.quality, str(threads)],
            env=subject.environment | _threads(threads),
            preexec_fn=lambda: _pin(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.bytes = int(self._answer())

    def seconds(self, way: str) -> float:
        """How long one of WAYS takes there, once."""
        assert self._process.stdin is not None
        print(way, file=self._process.stdin, flush=True)
        return float(self._answer())

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise EOFError("a process ended; what it said is above")
        return line


def _pin(threads: int) -> None:
    with suppress(AttributeError):  # where there is no such call, processes have all cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _threads(count: int) -> dict[str, str]:
    # Threads of torch that spin while they wait would take the cores from what takes its turn next.
    return {"CWIC_THREADS": str(count), "OMP_NUM_THREADS": str(count), "OMP_WAIT_POLICY": "passive"}


def command_seconds(subject: Subject, way: str, source: Path, target: Path, threads: int) -> tuple[float, float]:
    """How long a whole command takes, and of how many cores it made use."""
    before = os.times()
    start = perf_counter()
    subprocess.run(
        subject.command(way, source, target, threads),
        env=subject.environment | _threads(threads),
        preexec_fn=lambda: _pin(threads),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = perf_counter() - start
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used / seconds


def picture(size: tuple[int, int]) -> tuple[str, Image.Image]:
    """A name and an RGB picture of a size: Kodak's 23rd where CWIC_DATA has it, else the bundled coffee cup."""
    kodak = Path(os.environ.get("CWIC_DATA", "")) / "kodak" / "kodim23.png"
    path = kodak if kodak.is_file() else ROOT / "examples" / "coffee.png"
    image = Image.open(path).convert("RGB")
    return path.name, image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def avif_quality(image: Image.Image, size: int) -> int:
    """The quality at which AVIF comes next to `size` bytes from above."""

    def length(quality: int) -> int:
        file = BytesIO()
        image.save(file, "AVIF", quality=quality, speed=AVIF_SPEED)
        return len(file.getvalue())

    return bisect_left(range(100), size, key=length)


def measure(
    subjects: Sequence[Subject], source: Path, folder: Path, threads: int, runs: int
) -> Iterator[dict[str, Any]]:
    """A row for each subject, start and way. A subject that cannot code is left out."""
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for subject in subjects:
            try:
                workers[subject.kind] = stack.enter_context(Worker(subject, source, threads))
            except EOFError as error:
                print(f"{subject.kind} {subject.model}: {error}", file=sys.stderr)
        able = [subject for subject in subjects if subject.kind in workers]
        coded = {each.kind: folder / f"{each.kind}.{'avif' if each.kind == 'AVIF' else 'cwic'}" for each in able}
        decoded = folder / "decoded.ppm"

        def command(subject: Subject, way: str) -> tuple[float, float]:
            ends = (source, coded[subject.kind]) if way == "encode" else (coded[subject.kind], decoded)
            return command_seconds(subject, way, *ends, threads)

        clocks: dict[tuple[str, str, str], Callable[[], tuple[float, float | None]]] = {}
        for way in WAYS:
            for subject in able:
                worker = workers[subject.kind]
                clocks[subject.kind, "loaded", way] = lambda worker=worker, way=way: (worker.seconds(way), None)  # type: ignore[misc]
                clocks[subject.kind, "command", way] = lambda subject=subject, way=way: command(subject, way)  # type: ignore[misc]
        times: dict[tuple[str, str, str], list[tuple[float, float | None]]] = {key: [] for key in clocks}
        for _ in range(runs):
            for key, clock in clocks.items():
                times[key].append(clock())
        for (kind, start, way), found in times.items():
            cores = [used for _, used in found if used is not None]
            yield {
                "kind": kind,
                "start": start,
                "way": way,
                "bytes": workers[kind].bytes,
                "seconds": round(median(seconds for seconds, _ in found), 4),
                **({"cores": round(median(cores), 2)} if cores else {}),
                "runs": runs,
            }


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A table of the rows of one measurement."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    print(
        f"{'':<16}" + "".join(f"{kind:>9}" for kind in kinds) + "".join(f"{f'/{k}':>9}" for k in kinds[1:]) + "   cores"
    )
    for start in STARTS:
        for way in WAYS:
            found = {row["kind"]: row for row in rows if (row["start"], row["way"]) == (start, way)}
            own = found["cwic"]["seconds"]
            line = "".join(f"{found[kind]['seconds']:>9.3f}" for kind in kinds)
            line += "".join(f"{own / found[kind]['seconds']:>9.2f}" for kind in kinds[1:])
            print(f"{way:<7} {start:<8}{line}   {found['cwic'].get('cores', '')}")


def processor() -> str:
    """What this machine computes with."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    wide = [
        name for flag, name in (("avx2", "AVX2"), ("avx512vl", "AVX-512"), ("avx512_bf16", "bfloat16")) if flag in flags
    ]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}, {', '.join(wide)}"


def keep(rows: Sequence[dict[str, Any]]) -> None:
    """Put rows into results/speed/times.json, in place of those of the same measurements."""
    path, fields = KEPT / "times.json", ("machine", "engine", "model", "size", "threads")
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else []
    new = {tuple(row[field] for field in fields) for row in rows}
    kept = [row for row in kept if tuple(row[field] for field in fields) not in new] + list(rows)
    kept.sort(key=lambda row: [str(row[field]) for field in (*fields, "start", "way", "kind")])
    KEPT.mkdir(parents=True, exist_ok=True)
    text = "[\n" + ",\n".join(json.dumps(row) for row in kept) + "\n]\n"
    write_atomically(path, text.encode(), force=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep if that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="small", help="768x512, or 4000x3000: 12 megapixels")
    parser.add_argument("--model", choices=MODELS, action="append", help="one model instead of all")
    parser.add_argument("--threads", type=int, action="append", help="instead of 1 and 2")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--against", type=Path, metavar="SRC", help="the src folder of another version of cwic")
    parser.add_argument("--python", default=sys.executable, help="what runs the other version, with its packages")
    parser.add_argument(
        "--other-model", default="", help="the name or weight file of the model there, if it is another"
    )
    parser.add_argument("--name", default="other", help="what the other version is called in results/speed/")
    parser.add_argument("--keep", action="store_true", help="write results/speed/times.json")
    asked = parser.parse_args(arguments)
    if asked.against is not None and not (asked.against / "cwic" / "__init__.py").is_file():
        parser.error(f"there is no package cwic in {asked.against}")

    size = SIZES[asked.size]
    name, image = picture(size)
    runs = engine("cpu")
    own_engine = runs.name == Native.name
    release = runs.name if own_engine else f"{runs.name} {import_module(runs.name).__version__.split('-')[0]}"
    machine = processor()
    print(f"{name} at {size[0]}x{size[1]}, quality {QUALITY}; medians of {asked.runs} runs in turn, in seconds")
    print(f"{machine}; {release}; library in C: {chosen()}; libavif {features.version('avif')}")
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with TemporaryDirectory() as place:
        source = Path(place) / "picture.png"
        image.save(source)
        for model in asked.model or MODELS:
            length = len(cwic.encode(image, quality=QUALITY, model=model, strip=True))
            own = plain | {"PYTHONPATH": str(Path(cwic.__file__).parents[1])}
            subjects = [
                Subject("cwic", model, str(QUALITY), sys.executable, own),
                Subject("AVIF", "", str(avif_quality(image, length)), sys.executable, plain),
            ]
            if asked.against is not None:
                there = plain | {"PYTHONPATH": str(asked.against.resolve())}
                subjects.append(Subject("other", asked.other_model or model, str(QUALITY), asked.python, there))
            for threads in asked.threads or (1, 2):
                rows = list(measure(subjects, source, Path(place), threads, asked.runs))
                sizes = ", ".join(f"{kind} {count}" for kind, count in {r["kind"]: r["bytes"] for r in rows}.items())
                print(f"\n{model}, {threads} thread{'s' * (threads > 1)}; bytes: {sizes}")
                show(rows)
                if asked.keep:
                    about = {"machine": machine, "engine": release, "model": model, "size": "x".join(map(str, size))}
                    when = {"threads": threads, "date": date.today().isoformat()}
                    named = {"other": asked.name}
                    keep([about | when | row | {"kind": named.get(row["kind"], row["kind"])} for row in rows])


if __name__ == "__main__":
    main()
