from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cwic.image.ssimulacra2 import ssimulacra2
from cwic.image.ssimulacra2_gradient import ssimulacra2_gradient
from cwic.training.ssimulacra2 import ssimulacra2 as differentiable

Floats = NDArray[np.float32]


def pictures(height: int, width: int, noise: float = 0.06) -> tuple[Floats, Floats]:
    random = np.random.default_rng(7)
    waves = np.add.outer(np.sin(np.arange(height) / 9), np.cos(np.arange(width) / 13))
    x = (0.5 + 0.2 * waves + random.normal(0, 0.03, (3, height, width))).clip(0, 1).astype(np.float32)
    return x, (0.9 * x + random.normal(0.02, noise, x.shape)).astype(np.float32)


@pytest.mark.parametrize("size", [(256, 288), (301, 263)])
def test_gradient_is_that_of_the_laboratory(size: tuple[int, int]) -> None:
    x, x_hat = pictures(*size)
    wanted = torch.from_numpy(x_hat)[None].requires_grad_()
    points = differentiable(torch.from_numpy(x)[None], wanted)
    points.sum().backward()
    assert wanted.grad is not None
    found, gradient = ssimulacra2_gradient(x, x_hat)
    assert found == pytest.approx(points.item(), abs=0.03)
    error = gradient - wanted.grad[0].numpy()
    assert np.linalg.norm(error) < 2e-3 * np.linalg.norm(gradient)


def test_points_are_those_of_the_measure() -> None:
    x, x_hat = (np.rint(255 * picture.clip(0, 1)).astype(np.uint8) for picture in pictures(272, 256))
    floats = ((picture / np.float32(255)).astype(np.float32) for picture in (x, x_hat))
    measured = ssimulacra2(x.transpose(1, 2, 0), x_hat.transpose(1, 2, 0))
    assert ssimulacra2_gradient(*floats)[0] == pytest.approx(measured, abs=0.005)


def test_equal_pictures_are_at_the_top() -> None:
    x, _ = pictures(256, 256)
    points, gradient = ssimulacra2_gradient(x, x.copy())
    assert points == 100
    assert not gradient.any()


def test_a_step_along_the_gradient_brings_points() -> None:
    x, x_hat = pictures(256, 256)
    points, gradient = ssimulacra2_gradient(x, x_hat)
    step = np.float32(1e-3) * gradient / np.abs(gradient).max()
    expected = float((step * gradient).sum())
    assert ssimulacra2_gradient(x, x_hat + step)[0] - points == pytest.approx(expected, rel=0.2)
