from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic import libraries
from cwic.config import CwicConfig
from cwic.latents.native import fits_c
from cwic.latents.quadtree import LatentPass, QuadtreePrior
from cwic.libraries import LIBRARY_VARIABLE, NONE, usable

pytestmark = pytest.mark.skipif(not usable(), reason="no C compiler was found when cwic was installed")

Tensors = dict[str, NDArray[Any]]
Latents = tuple[NDArray[np.int64], list[LatentPass]]


def traversed(prior: QuadtreePrior, seed: int, h: int, w: int, level: int, largest: int) -> Latents:
    """y_hat of random z and symbols, and what was predicted."""
    random = np.random.default_rng(seed)
    z_hat = random.integers(-31, 32, (h // 4, w // 4, prior._z_log2_scale.shape[1])).astype(np.int32)
    passes: list[LatentPass] = []

    def code(known: LatentPass) -> NDArray[np.int32]:
        passes.append(known)
        return random.integers(-largest - 1, largest + 1, known.indexes.shape).astype(np.int32)

    return prior.traverse(z_hat, level, code), passes


def assert_equal(found: Latents, expected: Latents) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    for ours, theirs in zip(found[1], expected[1], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype


@pytest.fixture(params=usable())
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(config: CwicConfig, tensors: Tensors, way: str, monkeypatch: pytest.MonkeyPatch) -> QuadtreePrior:
    monkeypatch.setenv(LIBRARY_VARIABLE, way)
    prior = QuadtreePrior(config, tensors)
    assert (prior._native is None) == (way == NONE)
    return prior


@pytest.mark.parametrize(("h", "w"), [(4, 4), (4, 12), (12, 4), (20, 36), (8, 280)])
def test_c_gives_what_numpy_gives(
    small: CwicConfig, tensors: Tensors, library: str, h: int, w: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_numpy = made(small, tensors, NONE, monkeypatch)
    in_c = made(small, tensors, library, monkeypatch)
    for seed, (level, largest) in enumerate([(0, 0), (1000, 3), (433, 40), (896, 32767)]):
        assert_equal(traversed(in_c, seed, h, w, level, largest), traversed(by_numpy, seed, h, w, level, largest))


def test_threads_share_a_model(
    small: CwicConfig, tensors: Tensors, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_c = made(small, tensors, library, monkeypatch)
    expected = [traversed(in_c, seed, 16, 16, 500, 9) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: traversed(in_c, seed, 16, 16, 500, 9), range(12)))
    for ours, theirs in zip(found, expected, strict=True):
        assert_equal(ours, theirs)


def test_an_error_of_the_coder_ends_the_traversal(
    small: CwicConfig, tensors: Tensors, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_c = made(small, tensors, library, monkeypatch)

    def fail(known: LatentPass) -> NDArray[np.int32]:
        raise KeyError(known.pass_index)

    with pytest.raises(KeyError, match="0"):
        in_c.traverse(np.zeros((1, 1, 8), np.int32), 500, fail)


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [({}, True), ({"hyper_channels": 12}, False), ({"M": 24}, False), ({"context_blocks": 9}, False)],
)
def test_sizes_that_c_does_not_have_go_to_numpy(sizes: dict[str, int], fits: bool) -> None:
    assert fits_c(CwicConfig(**sizes)) == fits


def test_values_that_could_be_too_large_go_to_numpy(
    small: CwicConfig, tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuadtreePrior, "value_reach", 1 << 31)
    assert QuadtreePrior(small, tensors)._native is None


def test_a_model_that_c_cannot_take_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    library = libraries.library()
    assert isinstance(library, ctypes.CDLL)
    assert not library.exact_load(None, 24, 8, 16, 24, 1)
    assert not library.exact_load(None, 16, 12, 16, 24, 1)
