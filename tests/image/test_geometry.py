from __future__ import annotations

import numpy as np
import pytest

from cwic.image.geometry import pad, pad_to, padded_side


@pytest.mark.parametrize(("side", "padded"), [(1, 64), (63, 64), (64, 64), (65, 128), (769, 832)])
def test_padded_side(side: int, padded: int) -> None:
    assert padded_side(side) == padded


@pytest.mark.parametrize(("H", "W"), [(1, 1), (7, 5), (17, 100), (64, 64), (65, 63)])
def test_pad_repeats_the_edge(H: int, W: int) -> None:
    x = np.random.default_rng(0).random((2, 3, H, W), np.float32)
    padded = pad(x)
    assert padded.shape[-2] % 64 == padded.shape[-1] % 64 == 0
    np.testing.assert_array_equal(padded[..., :H, :W], x)
    np.testing.assert_array_equal(padded[..., -1, -1], x[..., -1, -1])
    np.testing.assert_array_equal(padded[..., :H, -1], x[..., -1])
    np.testing.assert_array_equal(padded[..., -1, :W], x[..., -1, :])


def test_pad_to_any_size() -> None:
    x = np.random.default_rng(0).random((1, 3, 5, 7), np.float32)
    padded = pad_to(x, 9, 7)
    assert padded.shape == (1, 3, 9, 7)
    np.testing.assert_array_equal(padded[..., 5:, :], np.repeat(x[..., 4:5, :], 4, axis=2))
    assert pad_to(x, 5, 7) is x
