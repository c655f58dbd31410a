"""The reports of a run: a bar or lines on the terminal, `metrics.jsonl`, and TensorBoard if it is installed."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn
from torch import Tensor

from cwic.records import to_json
from cwic.training.validation import Validation

METRICS = "metrics.jsonl"
BOARD = "tensorboard"


class Metrics(NamedTuple):
    """Means over the steps since the last report.

    Attributes:
        loss: the loss that is minimised, with `rate_balance`.
        J: the loss of the recipe without `rate_balance`.
        bpp: bits per pixel.
        mse: the mean squared error of values in [0, 1].
        skipped: the number of steps of the whole run whose gradients were not finite.
    """

    loss: float
    J: float
    bpp: float
    mse: float
    skipped: int

    @property
    def psnr(self) -> float:
        """The PSNR of the mean of the squared errors, in dB."""
        return float("inf") if self.mse == 0 else float(-10 * np.log10(self.mse))


class Journal:
    """The reports of one run. Use it as a context manager.

    Args:
        run: the folder of the run.
        speaking: print and write; False for all processes but the first, which then do neither.
        batch: the number of pictures that a step learns from, in all processes.
    """

    def __init__(self, run: Path, speaking: bool, batch: int) -> None:
        self._speaking, self._batch = speaking, batch
        self._path = run / METRICS
        self._board = _board(run / BOARD) if speaking else None
        self._last = (0, 0.0)
        columns = (TextColumn("{task.percentage:3.0f} %"), BarColumn(8), TextColumn("{task.description}"))
        self._bar = Progress(*columns, disable=not (speaking and sys.stdout.isatty()))
        self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> Journal:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        if self._board is not None:
            self._board.close()

    def start(self, step: int, elapsed: float) -> None:
        """Set the step and the seconds at which the run begins, or goes on."""
        self._last = (step, elapsed)

    def report(self, step: int, elapsed: float, done: float, metrics: Metrics) -> None:
        """Report the metrics after `step` steps and `elapsed` seconds.

        Args:
            step: the steps so far.
            elapsed: the seconds so far.
            done: the share of the run that is over, in [0, 1].
            metrics: the means since the last report.
        """
        steps, seconds = step - self._last[0], elapsed - self._last[1]
        self._last = (step, elapsed)
        rate = steps * self._batch / seconds if seconds > 0 else float("inf")
        left = timedelta(seconds=round(elapsed * (1 - done) / done)) if done > 0 else "?"
        if self._bar.disable:
            self._say(
                f"step {step}  {elapsed:.0f} s  loss {metrics.loss:.4f}  J {metrics.J:.4f}  bpp {metrics.bpp:.3f}  "
                f"psnr {metrics.psnr:.2f}  {rate:.1f} images/s  left {left}  skipped {metrics.skipped}"
            )
        # Short enough for a terminal of 80 columns.
        brief = (
            f"{step}: loss {metrics.loss:.3f} {metrics.bpp:.3f} bpp {metrics.psnr:.2f} dB {rate:.1f} images/s -{left}"
        )
        self._bar.update(self._task, completed=done, description=brief)
        values = {**metrics._asdict(), "psnr": metrics.psnr, "images_per_s": rate}
        self._write({"step": step, "elapsed": elapsed, **values})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"training/{name}", value, step)

    def validated(self, step: int, elapsed: float, validation: Validation, samples: Tensor | None = None) -> None:
        """Report rate and distortion of the averaged weights.

        Args:
            step: the steps so far.
            elapsed: the seconds so far.
            validation: rate and distortion.
            samples: pictures `[B, 3, H, W]` in [0, 1] for TensorBoard.
        """
        self._say(f"step {step}  {validation}")
        self._write({"step": step, "elapsed": elapsed, "validation": validation._asdict()})
        if self._board is not None:
            for label, *point in zip(*validation, strict=True):
                for name, value in zip(("bpp", "psnr", "J"), point, strict=True):
                    self._board.add_scalar(f"{label}/{name}", value, step)
            if samples is not None:
                self._board.add_images("picture and reconstructions", samples, step)

    def _say(self, line: str) -> None:
        if self._speaking:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _write(self, record: dict[str, object]) -> None:
        if self._speaking:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(to_json(record) + "\n")


def _board(folder: Path) -> Any:
    """Return a writer for TensorBoard; None if it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))
