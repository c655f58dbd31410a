"""What a run was: recipe, code, versions and hardware, kept beside its checkpoints as `record.json`."""

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
    """Adds a start of `recipe` to `run/record.json`, one entry each time a run starts or goes on.

    `conditions` are further values of the run: its data, processes and device.
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
    """Commit, and whether files differ from it, of the checkout that `folder` is versioned in; None outside of one."""

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
    """The processor, its cores, and the GPUs that torch sees."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"processor": _processor(), "cores": os.cpu_count(), "gpus": gpus, "platform": platform.platform()}


def _processor() -> str:
    """The processor's name as Linux has it, or what Python knows elsewhere."""
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
