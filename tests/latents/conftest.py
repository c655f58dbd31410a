"""Fixtures of the latents' tests: integer networks with random numbers, of the sizes that trained ones have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.config import CwicConfig
from cwic.entropy.tables import Tables, gaussian_tables
from cwic.latents.levels import KNOTS
from cwic.latents.quadtree import QuadtreePrior
from cwic.latents.scales import scale_grid
from cwic.libraries import LIBRARIES, LIBRARY_VARIABLE, NONE, usable

Tensors = dict[str, NDArray[Any]]


def random_layer(random: np.random.Generator, name: str, *shape: int) -> Tensors:
    """Weights `[..., C_out, C_in]` whose outputs are about as large as their inputs."""
    outputs = shape[:-1]
    unit = (1 << 24) * 2 / (127 * shape[-1] ** 0.5)
    return {
        f"{name}.weight": random.integers(-127, 128, shape).astype(np.int8),
        f"{name}.multiplier": (unit * random.uniform(0.1, 0.3, outputs)).astype(np.int32),
        f"{name}.bias": random.integers(-60, 61, outputs).astype(np.int32),
    }


def random_prior(config: CwicConfig, seed: int = 3) -> Tensors:
    """The tensors of a `QuadtreePrior`."""
    random = np.random.default_rng(seed)
    width, wide, group = config.context_width, config.hyper_width, config.M // 4
    tensors: Tensors = {}
    for name, *shape in (
        ("h_s.enter", wide, config.hyper_channels),
        ("h_s.mix", wide, 9),
        ("h_s.enlarge", 4 * wide, wide),
        ("h_s.mix_enlarged", wide, 9),
        ("h_s.leave", 4 * width, wide),
        ("context.embed", 4, width, 2 * group),
        *((f"context.heads.{k}", 4, 2 * group, width) for k in range(4)),
        *(
            (f"context.blocks.{k}.{i}.{part}", width, 9 if part == "mix" else width)
            for k in range(4)
            for i in range(config.context_blocks)
            for part in ("mix", "expand", "project")
        ),
    ):
        tensors |= random_layer(random, f"networks.{name}", *shape)
    for k in range(4):
        tensors[f"networks.context.level.{k}.value"] = random.integers(-128, 129, (KNOTS, width)).astype(np.int32)
    slope = np.linspace(0, 768, KNOTS)[:, None]
    tensors["networks.log2_gain.value"] = (slope + random.integers(-128, 129, (KNOTS, config.M))).astype(np.int32)
    tensors["networks.z_log2_scale.value"] = random.integers(0, 513, (KNOTS, config.hyper_channels)).astype(np.int32)
    exponent = np.arange(-11 * 256, 11 * 256 + 1) / 256
    tensors["exp2_table"] = np.rint(2.0 ** (np.arange(256) / 256) * 2**24).astype(np.int32)
    tensors["magnitude_table"] = np.rint(np.log2(1 + np.arange(255 * 16 + 1) / 16) * 256).astype(np.int32)
    tensors["gain_magnitude_table"] = np.rint(np.log2(1 + 2.0**exponent) * 256).astype(np.int32)
    return tensors


@pytest.fixture
def small() -> CwicConfig:
    """A model whose prior is real in all its parts, and small."""
    return CwicConfig(M=16, hyper_channels=8, hyper_width=16, context_width=24, context_blocks=1)


@pytest.fixture
def tensors(small: CwicConfig) -> Tensors:
    return random_prior(small)


@pytest.fixture(params=[NONE, *LIBRARIES])
def prior(
    small: CwicConfig, tensors: Tensors, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> QuadtreePrior:
    """The same prior by numpy, and by each library that runs here."""
    if request.param not in (NONE, *usable()):
        pytest.skip(f"the library {request.param} is not here, or this processor does not run it")
    monkeypatch.setenv(LIBRARY_VARIABLE, request.param)
    return QuadtreePrior(small, tensors)


@pytest.fixture(scope="session")
def tables() -> Tables:
    """The tables that every model starts with."""
    return gaussian_tables(scale_grid())
