"""What a run says while it runs: lines on the terminal, and `metrics.jsonl` in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cwic.training.validation import Validation

METRICS = "metrics.jsonl"


class Metrics(NamedTuple):
    """Means over the steps since the last report. `J` is `lmbda 255^2 MSE + bpp`, `mse` on [0, 1] values.

    `skipped` counts the steps of the whole run whose gradients were not finite.
    """

    loss: float
    J: float
    bpp: float
    mse: float
    skipped: int

    @property
    def psnr(self) -> float:
        """Of the mean of the errors, in dB."""
        return float(-10 * np.log10(self.mse)) if self.mse > 0 else float("inf")


class Journal:
    """Says nothing and writes nothing unless `speaking`, as processes other than the first."""

    def __init__(self, run: Path, speaking: bool) -> None:
        self._speaking = speaking
        self._path = run / METRICS

    def report(self, step: int, elapsed: float, metrics: Metrics) -> None:
        """The state of learning after `step` steps and `elapsed` seconds."""
        self._say(
            f"step {step}  {elapsed:.0f} s  loss {metrics.loss:.4f}  J {metrics.J:.4f}  bpp {metrics.bpp:.3f}  "
            f"psnr {metrics.psnr:.2f}  skipped {metrics.skipped}"
        )
        self._write({"step": step, "elapsed": elapsed, **metrics._asdict(), "psnr": metrics.psnr})

    def validated(self, step: int, elapsed: float, validation: Validation) -> None:
        """Rate and distortion of the averaged weights."""
        self._say(f"step {step}  {validation}")
        self._write({"step": step, "elapsed": elapsed, "validation": validation._asdict()})

    def _say(self, line: str) -> None:
        if self._speaking:
            print(line, flush=True)

    def _write(self, record: dict[str, object]) -> None:
        if self._speaking:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
