"""What encoding and decoding spend their time on, stage by stage, and the least that arithmetic asks for.

One picture, one thread, the model loaded: processor seconds, so that what else the machine does counts little. The
floor of a stage is its multiplications (`cwic models show`) over what this processor multiplies in a second when it
does nothing else: of 16-bit numbers in our own engine, of float32 in another.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

os.environ["CWIC_THREADS"] = "1"

import numpy as np
from PIL import Image

import cwic
from cwic.latents.int8 import PhasePointwise
from cwic.latents.native import NativePrior
from cwic.latents.quadtree import ContextBlock, HyperSynthesis, QuadtreePrior
from cwic.latents.symbols import SymbolReader, SymbolWriter
from cwic.libraries import library
from cwic.models import catalog
from cwic.models import cwic as cwic_model
from cwic.models.cwic import CwicModel
from cwic.networks.engine import Native, engine
from cwic.networks.native_layers import Linear
from cwic.networks.product import product
from cwic.tiling import decode, encode

REPEATS = 5
QUALITY = 50
SIDE = 1024
"""Of the matrices that the floor is measured with."""

STAGES: tuple[tuple[str, Any, str, str], ...] = (
    ("features of g_a", CwicModel, "prepare_analysis", "feature encoding"),
    ("g_a", CwicModel, "finish_analysis", "g_a"),
    ("h_a", CwicModel, "hyper_analyse", "h_a"),
    ("h_s, exact", HyperSynthesis, "__call__", "h_s"),
    ("context: blocks, exact", ContextBlock, "__call__", "context"),
    ("context: heads and embedding, exact", PhasePointwise, "__call__", ""),
    ("the prior in C, exact", NativePrior, "traverse", "context"),
    ("rounding", cwic_model, "round_by_cost", ""),
    ("the rest of the four passes", QuadtreePrior, "traverse", ""),
    ("symbols to bytes", SymbolWriter, "put", ""),
    ("bytes to symbols", SymbolReader, "get", ""),
    ("g_s", CwicModel, "synthesise", "g_s"),
    ("pixels to floats", encode, "region_of", ""),
    ("floats to pixels", decode, "to_picture", ""),
)
"""What a stage is called, where it is, and the part whose multiplications it makes."""


@contextmanager
def watched(spent: dict[str, float]) -> Iterator[None]:
    """Adds up the processor seconds of each stage, without those of the stages inside it."""
    inside = [0.0]

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def run(*args: Any, **kwargs: Any) -> Any:
            inside.append(0.0)
            start = thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                whole = thread_time() - start
                spent[name] += whole - inside.pop()
                inside[-1] += whole

        return run

    kept = [(owner, name, getattr(owner, name)) for _, owner, name, _ in STAGES]
    for stage, owner, name, _ in STAGES:
        setattr(owner, name, timed(stage, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, work in kept:
            setattr(owner, name, work)


def peak() -> float:
    """Multiplications with additions that a thread makes in a second: the best of some products of two matrices."""
    random = np.random.default_rng(0)
    a, b = (random.random((SIDE, SIDE), np.float32) for _ in range(2))
    if (own := library()) is not None and engine("cpu").name == Native.name:
        work = partial(Linear(own, b, np.zeros(SIDE, np.float32)), a[None])
    else:
        work = partial(product, a, b)
    seconds = []
    for _ in range(REPEATS + 1):
        start = thread_time()
        work()
        seconds.append(thread_time() - start)
    return float(SIDE**3 / min(seconds))


def measure(work: Callable[[], object]) -> tuple[float, dict[str, float]]:
    """The processor seconds of `work` and of each stage, medians."""
    work()
    wholes, parts = [], defaultdict[str, list[float]](list)
    for _ in range(REPEATS):
        spent: dict[str, float] = defaultdict(float)
        with watched(spent):
            start = thread_time()
            work()
            wholes.append(thread_time() - start)
        for stage, seconds in spent.items():
            parts[stage].append(seconds)
    return median(wholes), {stage: median(seconds) for stage, seconds in parts.items()}


def report(way: str, model: str, pixels: int, rate: float, work: Callable[[], object]) -> None:
    """Measures and prints one way."""
    costs = {part.part.strip(): part.mac_per_pixel for part in catalog.describe(model).parts}
    if "feature encoding" in costs:
        costs["g_a"] -= costs["feature encoding"]
    whole, parts = measure(work)
    print(f"\n{way}, {model}: {1000 * whole:.0f} ms")
    print(f"{'':<38}{'ms':>8}{'share':>8}{'floor':>8}")
    for stage, _, _, part in STAGES:
        if stage in parts:
            floor = f"{1000 * costs[part] * pixels / rate:>8.0f}" if part else ""
            print(f"{stage:<38}{1000 * parts[stage]:>8.0f}{parts[stage] / whole:>8.0%}{floor}")
    rest = whole - sum(parts.values())
    print(f"{'everything else':<38}{1000 * rest:>8.0f}{rest / whole:>8.0%}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    example = Path(__file__).parents[1] / "examples" / "coffee.png"
    parser.add_argument("picture", type=Path, nargs="?", default=example)
    parser.add_argument("--model", action="append", help="cwic-s and cwic-m where left out")
    options = parser.parse_args(arguments)
    with Image.open(options.picture) as file:
        picture = np.array(file.convert("RGB"))
    height, width = picture.shape[:2]
    rate = peak()
    print(f"{options.picture.name}, {width}x{height}; {engine('cpu').name}, one thread; medians of {REPEATS}")
    print(f"two matrices of {SIDE}x{SIDE}: {rate / 1e9:.1f} G multiplications with additions a second")
    for model in options.model or ("cwic-s", "cwic-m"):
        data = cwic.encode(picture, quality=QUALITY, model=model)
        report("encode", model, width * height, rate, partial(cwic.encode, picture, quality=QUALITY, model=model))
        report("decode", model, width * height, rate, partial(cwic.decode, data))


if __name__ == "__main__":
    main()
