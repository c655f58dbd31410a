"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cwic.config import Cwam2024Config, CwicConfig
from cwic.training.recipe import Recipe


@pytest.fixture
def recipe(small: CwicConfig) -> Recipe:
    """Of a model with every part, that learns in milliseconds a step."""
    return Recipe(name="tiny", model=small, crop=64, batch=1, warmup_steps=2)


@pytest.fixture
def paper_recipe() -> Recipe:
    """Of the published network, as narrow as it can be and without its costliest part."""
    config = Cwam2024Config(8, feature_encoding=False)
    return Recipe(name="paper", family="cwam2024", model=config, lmbda=0.013, crop=64, batch=1, warmup_steps=2)


def _photograph(seed: int, width: int, height: int) -> Image.Image:
    """Smooth colour noise with some detail."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return Image.fromarray((pixels + random.integers(-6, 7, pixels.shape)).clip(0, 255).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs in colour and one in grey, a broken file and a picture too small for crops of 64."""
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    _photograph(1, 100, 80).save(folder / "a.png")
    _photograph(2, 70, 120).save(folder / "inner" / "b.png")
    _photograph(3, 64, 64).convert("L").save(folder / "grey.png")
    _photograph(4, 63, 200).save(folder / "small.png")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:300])
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def _seed_and_thread() -> Iterator[None]:
    """Everything repeats, and nothing waits for a second thread on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
