from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation import metrics
from cwic.evaluation.metrics import butteraugli, ms_ssim, psnr, ssimulacra2
from cwic.image.fidelity import MS_SSIM_MIN_SIDE, SSIMULACRA2_MIN_SIDE


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_psnr_is_over_all_samples_at_once() -> None:
    x = np.zeros((4, 5, 3), np.uint8)
    x_hat = x.copy()
    x_hat[..., 1] = 30  # one channel of three: MSE 300
    assert psnr(x, x_hat) == pytest.approx(10 * math.log10(255**2 / 300), abs=1e-12)


def test_psnr_at_its_ends() -> None:
    x = np.zeros((4, 5, 3), np.uint8)
    assert psnr(x, x) == math.inf
    assert psnr(x, x + np.uint8(255)) == psnr(x + np.uint8(255), x) == 0


def test_ms_ssim_ranks_and_is_one_for_equal_pictures() -> None:
    x = _noise(MS_SSIM_MIN_SIDE, 170)
    slight, strong = (np.clip(x.astype(int) + _noise(*x.shape[:2])[::-1] // n, 0, 255) for n in (8, 2))
    assert ms_ssim(x, x) == pytest.approx(1, abs=1e-6)
    assert 0 <= ms_ssim(x, strong.astype(np.uint8)) < ms_ssim(x, slight.astype(np.uint8)) < 1


@pytest.mark.parametrize(("metric", "side"), [(ms_ssim, MS_SSIM_MIN_SIDE), (ssimulacra2, SSIMULACRA2_MIN_SIDE)])
def test_small_pictures_have_no_value(metric, side) -> None:
    small = _noise(300, side - 1)
    assert math.isnan(metric(small, small))


def test_butteraugli_is_a_distance() -> None:
    if shutil.which(metrics.BUTTERAUGLI) is None:
        pytest.skip("needs butteraugli_main")
    x = _noise(64, 80) // np.uint8(2)
    slight, strong = (x + _noise(64, 80)[::-1] // np.uint8(n) for n in (64, 4))
    assert butteraugli(x, x) == pytest.approx(0, abs=1e-3)
    assert butteraugli(x, slight) < butteraugli(x, strong)


@pytest.mark.parametrize(
    ("program", "message"), [("no_such_program", "libjxl-devtools"), ("false", "failed"), ("true", "did not say")]
)
def test_a_program_that_is_missing_or_fails(monkeypatch: pytest.MonkeyPatch, program: str, message: str) -> None:
    monkeypatch.setattr(metrics, "BUTTERAUGLI", program)
    small = _noise(16, 16)
    with pytest.raises(InputError, match=message):
        butteraugli(small, small)


def test_ssimulacra2_ranks_and_is_100_for_equal_pictures() -> None:
    x = np.full((SSIMULACRA2_MIN_SIDE, SSIMULACRA2_MIN_SIDE, 3), 100, np.uint8)
    slight, strong = (x + _noise(*x.shape[:2]) // np.uint8(n) for n in (32, 4))
    assert ssimulacra2(x, x) == pytest.approx(100)
    assert ssimulacra2(x, strong) < ssimulacra2(x, slight) < 100


@pytest.mark.parametrize("metric", [psnr, ms_ssim, ssimulacra2, butteraugli])
@pytest.mark.parametrize("other", [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((8, 9, 3), np.uint8)])
def test_other_arrays_are_refused(metric, other: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8|differ in size"):
        metric(np.zeros((8, 8, 3), np.uint8), other)
