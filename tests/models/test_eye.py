from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cwic.config import EYE
from cwic.lab.cwic import ModelOutput
from cwic.models.eye import eye_cost, has_eye_cost
from cwic.training.loss import rate_distortion

LMBDA = 0.02
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def pictures() -> tuple[Floats, Floats]:
    random = np.random.default_rng(3)
    x = np.kron(random.random((3, 18, 17)), np.ones((16, 16))).astype(np.float32)
    return x, (x + random.normal(0.01, 0.04, x.shape)).astype(np.float32)


def test_cost_and_gradient_are_those_of_training(pictures: tuple[Floats, Floats]) -> None:
    x, x_hat = (torch.from_numpy(picture)[None] for picture in pictures)
    # The laboratory takes the squared error of values that are not clamped.
    x_hat = x_hat.clamp(0, 1).requires_grad_()
    nothing = torch.zeros(1)
    output = ModelOutput(x_hat=x_hat, y_bits=nothing, z_bits=nothing)
    wanted = rate_distortion(output, x, torch.tensor([LMBDA]), tune=EYE).cost.sum() * x[0, 0].numel()
    wanted.backward()
    cost, gradient = eye_cost(pictures[0], x_hat[0].detach().numpy(), LMBDA)
    assert cost == pytest.approx(wanted.item(), rel=1e-3)
    assert x_hat.grad is not None
    assert np.linalg.norm(gradient - x_hat.grad[0].numpy()) < 2e-3 * np.linalg.norm(gradient)


def test_a_picture_costs_nothing_beside_itself(pictures: tuple[Floats, Floats]) -> None:
    cost, gradient = eye_cost(pictures[0], pictures[0].copy(), LMBDA)
    assert cost == 0
    assert not gradient.any()


def test_small_pictures_have_no_cost() -> None:
    assert has_eye_cost(256, 300)
    assert not has_eye_cost(255, 300)
    assert not has_eye_cost(300, 255)
