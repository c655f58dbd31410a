"""The record of a run, `record.json` beside its checkpoints: recipe, code, versions and hardware of each start."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import cwic
from cwic.image.files import write_atomically
from cwic.records import to_json
from cwic.training.recipe import Recipe

RECORD = "record.json"
PACKAGES = ("torch", "numpy", "pillow", "lightning", "safetensors", "pytorch-optimizer", "webdataset", "tensorboard")


def write_record(run: Path, recipe: Recipe, conditions: dict[str, Any]) -> None:
    """Add an entry to `run/record.json`. A run gets one each time it starts or goes on.

    Args:
        run: the folder of the run.
        recipe: its recipe.
        conditions: more values of the run, such as its data, processes and device.
    """
    path = run / RECORD
    starts = json.loads(path.read_text("utf-8"))["starts"] if path.exists() else []
    starts.append(
        {
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "recipe": asdict(recipe),
            **conditions,
            "cwic": cwic.__version__,
            "git": git_state(Path(__file__).parent),
            "python": platform.python_version(),
            "packages": _versions(),
            "hardware": hardware(),
        }
    )
    write_atomically(path, (to_json({"starts": starts}, indent=1) + "\n").encode(), force=True)


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of the checkout that has `folder`, and whether files differ; None without a checkout."""

    def git(*arguments: str) -> str:
        answer = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    try:
        if not git("ls-files", "."):
            return None  # an installed package, in an environment that lies inside some other checkout
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def hardware() -> dict[str, Any]:
    """Return the processor, the number of its cores, the GPUs that torch sees, and the platform."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"processor": _processor(), "cores": os.cpu_count(), "gpus": gpus, "platform": platform.platform()}


def _processor() -> str:
    """Return the name of the processor, from Linux or, elsewhere, from Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
