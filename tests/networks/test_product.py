from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cwic.networks import product as module
from cwic.networks.product import PRODUCT_VARIABLE, product


@pytest.fixture(autouse=True)
def _choose_anew() -> Iterator[None]:
    module._chosen.cache_clear()
    yield
    module._chosen.cache_clear()


@pytest.mark.parametrize("way", ["", "numpy", "float64"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 768, 640), (400, 192, 192)])
def test_every_way_gives_the_integers(way: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRODUCT_VARIABLE, way)
    n, k, m = shape
    random = np.random.default_rng(0)
    a, b = random.integers(-127, 128, (n, k)), random.integers(-127, 128, (k, m))
    found = product(a.astype(np.float32), b.astype(np.float32))
    assert found.dtype == (np.float64 if way == "float64" else np.float32)
    np.testing.assert_array_equal(found, a @ b)


def test_a_library_that_multiplies_inexactly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """What half precision would make of it."""
        with np.errstate(over="ignore"):
            return (a @ b).astype(np.float16).astype(np.float32)

    monkeypatch.setattr(module, "_runtime", short)
    assert module._chosen() is np.matmul
    module._chosen.cache_clear()
    monkeypatch.setattr(module.np, "matmul", short)
    assert product(np.full((1, 1000), 127, np.float32), np.full((1000, 1), 127, np.float32)) == 127 * 127 * 1000


def test_a_library_that_is_inexact_for_large_sums_alone_is_found() -> None:
    def rounded(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The product, and above 2^22 the nearest multiple of four."""
        exact = a.astype(np.float64) @ b.astype(np.float64)
        return np.where(np.abs(exact) > 1 << 22, 4 * np.rint(exact / 4), exact).astype(np.float32)

    assert module._is_exact(np.matmul)
    assert not module._is_exact(rounded)
