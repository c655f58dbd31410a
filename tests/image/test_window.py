from __future__ import annotations

import numpy as np
import pytest

from cwic.image.window import BLOCK, SIGMA, TAPS, filtered


@pytest.mark.parametrize("width", [TAPS, BLOCK + TAPS - 1, 2 * BLOCK + 31])
def test_it_is_the_gaussian_sum_of_every_place_where_the_window_fits(width: int) -> None:
    maps = np.random.default_rng(0).random((2, BLOCK + TAPS - 1, width), np.float32)
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * SIGMA**2))
    window = np.outer(window, window) / window.sum() ** 2
    expected = np.einsum("kyxab,ab->kyx", np.lib.stride_tricks.sliding_window_view(maps, (TAPS, TAPS), (1, 2)), window)
    assert filtered(maps) == pytest.approx(expected, abs=1e-6)
