"""What attention is worth: arms that differ in their attention alone, trained for equal times and for equal steps.

    attention.py attention ...   the arms of recipes/attention, each from one state of cwic-m
    attention.py paper ...       the arms of recipes/ablation, the published network at N = 96, from nothing

Runs are made in the order of what they tell: every arm for an equal time; two arms with a second seed, whose difference
is the noise; every arm for as many steps as the slowest had; then second seeds of the other arms. Before the clock of
a run starts, kernels are compiled. J is estimated on the validation pictures at each point of the family (ideal bits,
rounded latents, single precision), of the averaged weights at the end.

The tables are written after every run, to table.md and table.json under --out. The script ends before --budget is
over; started again with the same --out it goes on with the runs that are missing. --smoke is two steps each of tiny
batches, for a CPU, and measures nothing.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from PIL import Image

from cwic.config import Cwam2024Config
from cwic.errors import CwicError, InputError
from cwic.image.files import write_atomically
from cwic.lab.cost import parts
from cwic.training.checkpoint import save_state
from cwic.training.data import Pictures, open_pictures
from cwic.training.learner import Learner
from cwic.training.precision import fabric_precision
from cwic.training.recipe import Recipe, load_recipe
from cwic.training.run_record import hardware
from cwic.training.schedule import share_done
from cwic.training.validation import usable_pictures, validate

ROOT = Path(__file__).parents[1]
SYNCHRONISE_EVERY = 20
"""Steps between two moments at which the host waits for the device, so that its clock is the device's."""
WARM_UP = 2
"""Steps at a rate of zero before the clock starts."""
AROUND = 12.0
"""Seconds that a run is expected to take besides its training, before one was seen."""


class Study(NamedTuple):
    """Arms to compare: recipes of a folder, by name, the one that the others are compared with first."""

    folder: str
    arms: tuple[str, ...]
    paired: tuple[str, ...]
    """The arms whose second seed comes early."""


STUDIES = {
    "attention": Study(
        "attention", ("none", "cross-window", "window", "cross-window-trunk", "window-trunk"), ("none", "cross-window")
    ),
    "paper": Study("ablation", ("plain", "cross", "encoding", "cross-encoding", "window-encoding"), ("plain", "cross")),
}
PAPER: dict[str, Any] = {"batch": 16, "crop": 256, "steps": 0, "warmup_steps": 100, "decay_share": 0.5}
"""What the recipes of the published network have on a GPU in place of their own numbers."""
PAPER_WIDTH = 96
SMOKE: dict[str, Any] = {"batch": 2, "crop": 128, "warmup_steps": 1}
SMOKE_STEPS = 2


class Task(NamedTuple):
    """One run: an arm, how its length is set (`time` or `steps`), and the seed."""

    arm: str
    mode: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.arm}-{self.mode}-{self.seed}"


def tasks(study: Study) -> list[Task]:
    """All runs, the most telling first."""
    times = [Task(arm, "time", 1) for arm in study.arms]
    noise = [Task(arm, "time", 2) for arm in study.paired]
    steps = [Task(arm, "steps", 1) for arm in study.arms]
    return [*times, *noise, *steps, *(Task(arm, "time", 2) for arm in study.arms if arm not in study.paired)]


def arm_time(study: Study, budget: float) -> float:
    """Seconds for each arm, so that all but the last second seeds are run within `budget` seconds."""
    count = 2 * len(study.arms) + len(study.paired)
    return max(5.0, budget / count - AROUND)


class Bench:
    """The runs of a study under one folder, and what they all share."""

    def __init__(self, options: argparse.Namespace, study: Study, began: float) -> None:
        self._options, self._study, self._began = options, study, began
        self._fabric = Fabric(accelerator=options.device, devices=1, precision=fabric_precision(options.device))
        self._fabric.launch()
        self.device = self._fabric.device.type
        if self.device == "cpu":
            torch.set_num_threads(1)
        self._recipes = {arm: self._recipe(arm) for arm in study.arms}
        self._files = usable_pictures(options.validation, self._recipes[study.arms[0]]).files
        self._around = AROUND
        self._pictures: Pictures | None = None
        (options.out / "runs").mkdir(parents=True, exist_ok=True)
        self._conditions = self._described()
        self.seconds = self._agreed()

    def run(self) -> bool:
        """Makes the runs that are missing, as long as there is time. Returns whether none is missing any more."""
        for task in tasks(self._study):
            late = task.seed > 1 and task.arm not in self._study.paired
            if self._found(task) is not None or (late and self._options.smoke):
                continue
            if self._left() < self.seconds + self._around and not self._options.smoke:
                return False
            began = time.monotonic()
            row = self._made(task)
            write_atomically(self._file(task), json.dumps(row, indent=1).encode(), force=True)
            # Of the last run alone: the first compiles what all use.
            self._around = max(AROUND, time.monotonic() - began - row["seconds"])
            print(f"{task.name}: {row['steps']} steps in {row['seconds']:.0f} s, J {_mean(row)}", flush=True)
            self.write_tables()
        return True

    def rows(self) -> list[dict[str, Any]]:
        """What is there, in the order in which it was to be made."""
        return [row for task in tasks(self._study) if (row := self._found(task)) is not None]

    def write_tables(self) -> str:
        """Writes both tables; returns the one in Markdown."""
        rows = self.rows()
        text = tables(self._study, rows, self._conditions, self.seconds)
        write_atomically(self._options.out / "table.md", text.encode(), force=True)
        whole = {"conditions": self._conditions, "arm_seconds": self.seconds, "runs": rows}
        write_atomically(self._options.out / "table.json", json.dumps(whole, indent=1).encode(), force=True)
        return text

    def _recipe(self, arm: str) -> Recipe:
        recipe = load_recipe((self._options.recipes or ROOT / "recipes" / self._study.folder) / f"{arm}.toml")
        if isinstance(recipe.model, Cwam2024Config) and not self._options.recipes:
            recipe = replace(recipe, **PAPER, model=replace(recipe.model, N=PAPER_WIDTH))
        if self._options.smoke:
            recipe = replace(recipe, **SMOKE | {"crop": min(recipe.crop, SMOKE["crop"])})
        return recipe if self._options.batch is None else replace(recipe, batch=self._options.batch)

    def _described(self) -> dict[str, Any]:
        """What all runs under a folder must share to be compared."""
        machine, state = hardware(), self._options.state
        recipes = json.dumps({arm: asdict(recipe) for arm, recipe in self._recipes.items()}, sort_keys=True)
        return {
            "study": self._options.study,
            "state": None if state is None else f"{state.name} {hashlib.sha256(state.read_bytes()).hexdigest()[:16]}",
            "recipes": hashlib.sha256(recipes.encode()).hexdigest()[:16],
            "machine": str(machine["gpus"] or machine["processor"]),
            "torch": torch.__version__,
            "validation_pictures": len(self._files),
            "smoke": self._options.smoke,
        }

    def _agreed(self) -> float:
        """The seconds of an arm: those of the runs that are there. Raises `InputError` if those are of another kind."""
        file, mine = self._options.out / "conditions.json", self._conditions
        asked = self._options.arm_time
        if file.exists():
            theirs = json.loads(file.read_text("utf-8"))
            seconds = float(theirs.pop("arm_seconds"))
            other = [key for key in mine if theirs.get(key) != mine[key]]
            if other or asked not in (None, seconds):
                raise InputError(
                    f"{file} is of runs with another {', '.join(other) or 'arm time'}: choose another --out"
                )
            return seconds
        seconds = asked or arm_time(self._study, self._options.budget)
        write_atomically(file, json.dumps(mine | {"arm_seconds": seconds}, indent=1).encode())
        return float(seconds)

    def _file(self, task: Task) -> Path:
        return self._options.out / "runs" / f"{task.name}.json"

    def _found(self, task: Task) -> dict[str, Any] | None:
        file = self._file(task)
        return json.loads(file.read_text("utf-8")) if file.exists() else None

    def _left(self) -> float:
        return float(self._options.budget - (time.monotonic() - self._began))

    def _made(self, task: Task) -> dict[str, Any]:
        """One run, and its row."""
        options, recipe = self._options, replace(self._recipes[task.arm], seed=task.seed)
        fewest = 0
        if task.mode == "steps":
            others = [self._found(Task(arm, "time", 1)) for arm in self._study.arms]
            fewest = min(row["steps"] for row in others if row is not None)
            own = self._found(Task(task.arm, "time", 1))
            if own is not None and own["steps"] == fewest:
                return own | {"mode": "steps"}
        if self._pictures is None:
            self._pictures = open_pictures(options.data, recipe.crop, 0, 1, self.device)
        learner = Learner(self._fabric, recipe, self._pictures)
        learner.start(options.state)
        steps, seconds = self._learn(learner, fewest or (SMOKE_STEPS if options.smoke else 0))
        row: dict[str, Any] = {**task._asdict(), "steps": steps, "seconds": seconds, "crops": steps * recipe.batch}
        row["crops_per_second"] = row["crops"] / seconds
        total = parts(recipe.model)[-1]
        row |= {"parameters": total.parameters, "kmac_per_pixel": round(total.mac_per_pixel / 1000, 1)}
        told = learner.metrics()
        row["skipped"] = None if told is None else told.skipped
        if learner.has_diverged(ended=True):
            row |= {"labels": [], "J": [], "bpp": [], "psnr": []}
        else:
            found = validate(learner.average, recipe, self._files, half=False)
            row |= {"labels": found.labels, "J": found.cost, "bpp": found.bpp, "psnr": found.psnr}
            if options.states and task.mode == "time" and task.seed == 1:
                states = options.out / "states"
                states.mkdir(exist_ok=True)
                save_state(states / f"{task.arm}.safetensors", learner.average.state_dict())
        del learner
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        return row

    def _learn(self, learner: Learner, steps: int) -> tuple[int, float]:
        """Trains for `steps`, or if they are 0 for the time of an arm; returns how many steps it took, and seconds."""
        for _ in range(0 if self._options.smoke else WARM_UP):
            learner.step(1.0)
        learner.progress.step = 0
        self._wait()
        began, elapsed = time.monotonic(), 0.0
        while (done := share_done(learner.progress.step, elapsed, steps, self.seconds)) < 1:
            learner.step(done)
            if learner.progress.step % SYNCHRONISE_EVERY == 0:
                self._wait()
            elapsed = time.monotonic() - began
        self._wait()
        return learner.progress.step, time.monotonic() - began

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def _mean(row: dict[str, Any]) -> str:
    return f"{geometric(row['J']):.4f}" if row["J"] else "diverged"


def geometric(values: Sequence[float]) -> float:
    """Their geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def noise(rows: list[dict[str, Any]]) -> float | None:
    """The standard deviation of ln J between seeds of one arm at equal time; None without an arm that has two."""
    by_arm: dict[str, list[float]] = {}
    for row in rows:
        if row["mode"] == "time" and row["J"]:
            by_arm.setdefault(row["arm"], []).append(math.log(geometric(row["J"])))
    differences = [pair[0] - pair[1] for pair in by_arm.values() if len(pair) == 2]
    return math.sqrt(sum(d * d for d in differences) / 2 / len(differences)) if differences else None


def tables(study: Study, rows: list[dict[str, Any]], conditions: dict[str, Any], seconds: float) -> str:
    """Both tables and what they rest on, in Markdown."""
    told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in conditions.items() if value is not None)
    lines = [f"Conditions: {told}; {seconds:.0f} s an arm.", ""]
    if conditions["smoke"]:
        lines += ["**A smoke run: the numbers mean nothing.**", ""]
    spread = noise(rows)
    if spread is None:
        lines += ["Noise: not measured, no arm has two seeds.", ""]
    else:
        lines += [
            f"Noise: {100 * spread:.2f} % of J, one standard deviation of a run; {141 * spread:.2f} % of a difference.",
            "",
        ]
    for mode, title in (("time", "Equal time"), ("steps", "Equal steps")):
        lines += [f"## {title}", "", *_table(study, [row for row in rows if row["mode"] == mode]), ""]
    return "\n".join(lines)


def _table(study: Study, rows: list[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        yield "Not measured yet."
        return
    labels: list[str] = next((row["labels"] for row in rows if row["labels"]), [])
    heads = ["arm", "kMAC/px", "seeds", "steps", "crops/s", *(f"J {label}" for label in labels), "mean", ""]
    yield "| " + " | ".join([*heads[:-1], f"against {study.arms[0]}"]) + " |"
    yield "|---" * len(heads) + "|"
    of_first = {row["seed"]: geometric(row["J"]) for row in rows if row["arm"] == study.arms[0] and row["J"]}
    for arm in study.arms:
        own = [row for row in rows if row["arm"] == arm]
        if not own:
            yield f"| {arm} |" + " |" * (len(heads) - 2) + " not measured yet |"
            continue
        cells = [arm, f"{own[0]['kmac_per_pixel']:.1f}", str(len(own))]
        cells += [f"{np.mean([row[key] for row in own]):.0f}" for key in ("steps", "crops_per_second")]
        if not all(row["J"] for row in own):
            yield "| " + " | ".join([*cells, *[""] * (len(labels) + 1), "diverged"]) + " |"
            continue
        points = [geometric([row["J"][i] for row in own]) for i in range(len(labels))]
        # Runs of one seed see the same crops in the same order.
        ratios = [geometric(row["J"]) / of_first[row["seed"]] for row in own if row["seed"] in of_first]
        change = f"{100 * (geometric(ratios) - 1):+.2f} %" if ratios and arm != study.arms[0] else ""
        yield "| " + " | ".join([*cells, *(f"{point:.4f}" for point in [*points, geometric(points)]), change]) + " |"


def noise_pictures(folder: Path) -> Path:
    """Smooth noise to learn from where nothing is measured."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for i in range(2):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize((256, 192), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def seconds_of(text: str) -> float:
    """`10m`, `90s` or `45` in seconds."""
    return float(text[:-1]) * 60 if text.endswith("m") else float(text.removesuffix("s"))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--data", type=Path, help="folder of training pictures")
    parser.add_argument("--validation", type=Path, help="folder of validation pictures")
    parser.add_argument("--state", type=Path, help="what every arm starts from; else from nothing")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and tables")
    parser.add_argument("--budget", type=seconds_of, default=600.0, help="for this call, such as 10m (default)")
    parser.add_argument("--arm-time", type=seconds_of, help="for each run, such as 2m; else what the budget allows")
    parser.add_argument("--arms", nargs="+", help="names of recipes, the one to compare with first")
    parser.add_argument("--recipes", type=Path, help="folder of recipes, which are taken as they are")
    parser.add_argument("--batch", type=int, help="crops a step, if not as in the recipes")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--states", action="store_true", help="keep the averaged weights of each arm's first run")
    parser.add_argument("--smoke", action="store_true", help="two steps each, for a CPU")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.data = options.data or noise_pictures(options.out / "pictures")
        options.validation = options.validation or noise_pictures(options.out / "pictures")
    if options.data is None or options.validation is None:
        parser.error("--data and --validation are wanted, but for --smoke")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    study = STUDIES[options.study]
    if options.arms:
        study = study._replace(arms=tuple(options.arms), paired=tuple(options.arms[:2]))
    try:
        bench = Bench(options, study, began)
        try:
            finished = bench.run()
        except KeyboardInterrupt:
            finished = False
        print(bench.write_tables())
        print("all runs are made" if finished else "runs are missing: the same command goes on", file=sys.stderr)
        return 0
    except (CwicError, OSError) as error:
        print(f"attention.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
