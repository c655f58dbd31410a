from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cwic.config import Cwam2024Config, CwicConfig
from cwic.lab.cost import parts
from cwic.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


def test_prints_the_rate_and_what_the_loop_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'name = "tiny"\nfamily = "cwam2024"\nlmbda = 0.013\ncrop = 64\nbatch = 2\n'
        '[model]\nN = 8\nattention = "none"\nfeature_encoding = false\n'
    )
    monkeypatch.setattr(sys, "argv", ["train.py", str(recipe), "--device", "cpu", "--steps", "2"])
    runpy.run_path(str(ROOT / "benchmarks" / "train.py"))["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert "1 threads" in lines[-3]
    assert re.fullmatch(r"tiny +[\d.]+ +[\d.]+( +-?[\d.]+ %){3}", lines[-1])


def test_counts_the_operations_of_the_passes() -> None:
    bench = runpy.run_path(str(ROOT / "benchmarks" / "train.py"))
    recipe = Recipe(model=CwicConfig(), crop=64, batch=2, accumulate=3)
    counted = bench["passes_flops"](recipe) / (6 * 64 * 64)
    # Two operations a multiplication and addition, and the backward pass costs twice the forward pass.
    assert counted / 6 == pytest.approx(parts(recipe.model)[-1].mac_per_pixel, rel=0.02)


def test_a_gpu_is_reported_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    host = SimpleNamespace(CUDA=torch.profiler.ProfilerActivity.CPU)
    monkeypatch.setattr(torch.profiler, "ProfilerActivity", host)
    bench = runpy.run_path(str(ROOT / "benchmarks" / "train.py"))
    steps = []
    learner = SimpleNamespace(step=steps.append)
    recipe = Recipe(family="cwam2024", model=Cwam2024Config(8), lmbda=0.013, crop=64, batch=2)
    bench["report_gpu"](learner, recipe, 3, torch.device("cpu"))
    assert steps == [0.0] * 6
    line = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(r" +[\d.]+ crops/s +[\d.]+ TFLOP/s +0\.0 % of the time in kernels", line)
