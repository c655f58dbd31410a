from __future__ import annotations

import math

import numpy as np
import pytest

from cwic.image.fidelity import MS_SSIM_MIN_SIDE
from cwic.image.ms_ssim import ms_ssim


def _noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (9 + 5 * c)) + np.cos(columns / (23 - 4 * c)) for c in range(3)]
    return np.rint(127.5 + 60 * np.stack(waves, axis=2)).astype(np.uint8)


def _less(x: np.ndarray, amount: float) -> np.ndarray:
    noise = _noise(*x.shape[:2], seed=1).astype(np.float64) - 127.5
    return np.clip(x + amount * noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(161, 161), (176, 192), (163, 250), (241, 170), (321, 339)])
@pytest.mark.parametrize("amount", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("picture", [_noise, _smooth])
def test_equals_pytorch_msssim(picture, size: tuple[int, int], amount: float) -> None:
    reference = pytest.importorskip("pytorch_msssim")
    import torch

    x = picture(*size)
    x_hat = _less(x, amount)
    tensors = (torch.tensor(each).permute(2, 0, 1)[None].float() for each in (x, x_hat))
    assert ms_ssim(x, x_hat) == pytest.approx(float(reference.ms_ssim(*tensors, data_range=255)), abs=1e-5)


def test_what_is_recorded_of_pytorch_msssim() -> None:
    x = _smooth(175, 203)
    assert ms_ssim(x, _less(x, 0.3)) == pytest.approx(0.8381267, abs=1e-5)


def test_negative_similarity_counts_as_none() -> None:
    x = _noise(MS_SSIM_MIN_SIDE, 200)
    assert ms_ssim(x, 255 - x) == 0


def test_one_channel_and_the_mean_over_channels() -> None:
    x = _smooth(170, 190)
    x_hat = _less(x, 0.2)
    alone = [ms_ssim(x[..., c], x_hat[..., c]) for c in range(3)]
    assert ms_ssim(x, x_hat) == pytest.approx(np.mean(alone))
    assert ms_ssim(x, x) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", [(MS_SSIM_MIN_SIDE - 1, 300), (300, MS_SSIM_MIN_SIDE - 1)])
def test_small_pictures_have_none(shape: tuple[int, int]) -> None:
    x = np.zeros(shape, np.uint8)
    assert math.isnan(ms_ssim(x, x))
