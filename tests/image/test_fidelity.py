from __future__ import annotations

import math

import numpy as np
import pytest

from cwic.image.fidelity import psnr


def test_psnr_is_over_all_samples_at_once() -> None:
    x = np.zeros((600, 5, 3), np.uint8)
    x_hat = x.copy()
    x_hat[..., 1] = 30  # one channel of three: MSE 300
    assert psnr(x, x_hat) == pytest.approx(10 * math.log10(255**2 / 300), abs=1e-12)
    assert psnr(x[..., 0], x_hat[..., 1]) == pytest.approx(10 * math.log10(255**2 / 900), abs=1e-12)


def test_psnr_at_its_ends() -> None:
    x = np.zeros((4, 5), np.uint8)
    assert psnr(x, x) == math.inf
    assert psnr(x, x + np.uint8(255)) == psnr(x + np.uint8(255), x) == 0
