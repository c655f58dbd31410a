from __future__ import annotations

import math

import pytest
import torch

from cwic.lab.prior import LAMBDA_MAX, LAMBDA_MIN, Prior, features, lmbda_of

LEVEL = torch.tensor([300, 800])


@pytest.fixture
def precise(prior: Prior) -> Prior:
    """Errors weigh so much that all rounding is to the nearest."""
    prior.error_weight = 1e6
    return prior


def test_lambda_is_log_linear_between_its_ends() -> None:
    ends = lmbda_of(torch.tensor([0, 500, 1000])).tolist()
    assert ends == pytest.approx([LAMBDA_MIN, math.sqrt(LAMBDA_MIN * LAMBDA_MAX), LAMBDA_MAX])


def test_evaluation_rounds_and_training_draws_noise_for_the_rate_alone(precise: Prior) -> None:
    y = torch.randn(2, 16, 8, 8)
    still = precise(y, LEVEL)
    assert torch.equal(precise(y, LEVEL).y_bits, still.y_bits)
    precise.train()
    first, second = precise(y, LEVEL), precise(y, LEVEL)
    assert not torch.equal(first.y_bits, second.y_bits)
    assert not torch.equal(first.z_bits, second.z_bits)
    assert torch.equal(first.y_hat, still.y_hat)  # decoder and context see rounded values in both
    torch.testing.assert_close(first.y_bits, still.y_bits, rtol=0.1, atol=0)
    precise.hard_rounding = True
    assert torch.equal(precise(y, LEVEL).y_bits, still.y_bits)


def test_rounding_by_cost_saves_bits_and_lets_gradients_through(prior: Prior) -> None:
    y = torch.randn(2, 16, 8, 8, requires_grad=True)
    cheap = prior(y, LEVEL)
    prior.error_weight = 1e6
    nearest = prior(y, LEVEL)
    assert (cheap.y_bits < nearest.y_bits).all()
    assert (cheap.y_hat - y).square().mean() > (nearest.y_hat - y).square().mean()
    cheap.y_hat.square().sum().backward()
    assert (y.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_the_decoded_latent_is_within_half_a_step(precise: Prior) -> None:
    y = torch.randn(2, 16, 8, 12)
    out = precise(y, torch.tensor([0, 256]))
    half_steps = 0.5 / torch.exp2(precise.exact.log2_gain.value[[0, 2]])
    assert ((out.y_hat - y).abs() <= half_steps[:, :, None, None] * 1.001).all()
    assert out.y_bits.shape == out.z_bits.shape == (2,)


def test_the_rate_rises_with_the_gain(precise: Prior) -> None:
    y = torch.randn(1, 16, 8, 8)
    rates = [precise(y, torch.tensor([level])).y_bits.item() for level in (0, 500, 1000)]
    assert rates[0] < rates[1] < rates[2]


def test_gradients_reach_every_parameter_and_the_latent(prior: Prior) -> None:
    prior.train()
    y = torch.randn(8, 16, 8, 8, requires_grad=True)
    out = prior(y, torch.arange(64, 1024, 128))
    (out.y_bits.sum() + out.z_bits.sum() + out.y_hat.square().sum()).backward()
    assert [name for name, p in prior.named_parameters() if not p.grad.abs().max() > 0] == []
    assert (y.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_calibration_gives_the_ideal_step_of_a_transform_coder(prior: Prior) -> None:
    scale = torch.linspace(2.0, 0.01, 16)
    prior.calibrate(scale)
    for knot, level in ((0, 0), (4, 512), (7, 896)):
        step = scale / torch.exp2(prior.exact.log2_gain.value[knot])
        lmbda = LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (level / 1000)
        # d/dstep of lmbda 255^2 step^2 / 12 (a third of it for each of three channels) - log2(step) is zero.
        slope = lmbda * 255**2 * 2 * step / 36 - 1 / (step * math.log(2))
        torch.testing.assert_close(slope * step, torch.zeros(16), rtol=0, atol=1e-4)


def test_features_are_values_and_saturating_log_magnitudes() -> None:
    steps, gain = torch.tensor([[3.0, -1e4]]), torch.tensor([[2.0, 4.0]])
    expected = [1.5, -2500.0, math.log2(4 / 3), math.log2(256 / 5)]
    assert features(steps, gain, dim=1)[0].tolist() == pytest.approx(expected)
