from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cwic.config import CwicConfig
from cwic.entropy.tables import gaussian_tables
from cwic.lab.cwic_export import exact_tensors
from cwic.lab.passes import split_passes
from cwic.lab.prior import Prior, features, lmbda_of
from cwic.latents import levels
from cwic.latents.levels import LAMBDA_MAX, LAMBDA_MIN
from cwic.latents.quadtree import GAIN_BITS, VALUE_BITS, Z_MAX, LatentPass, QuadtreePrior
from cwic.latents.scales import LOG2_SCALE_MIN, SCALE_STEP, SKIPPED, scale_grid

LEVEL = torch.tensor([300, 800])


@pytest.fixture
def precise(prior: Prior) -> Prior:
    """Errors weigh so much that all rounding is to the nearest."""
    prior.error_weight = 1e6
    return prior


def test_lambda_is_log_linear_between_its_ends() -> None:
    ends = lmbda_of(torch.tensor([0, 500, 1000])).tolist()
    assert ends == pytest.approx([LAMBDA_MIN, math.sqrt(LAMBDA_MIN * LAMBDA_MAX), LAMBDA_MAX])
    assert ends == pytest.approx([levels.lmbda_of(level) for level in (0, 500, 1000)])


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


@pytest.fixture
def exact(small: CwicConfig, prior: Prior) -> QuadtreePrior:
    """What the codec runs in the place of `prior`."""
    return QuadtreePrior(small, exact_tensors(prior.exact))


@pytest.mark.parametrize("level", [100, 500, 900])
@torch.no_grad()
def test_the_codec_decodes_what_training_decodes(precise: Prior, exact: QuadtreePrior, level: int) -> None:
    at = torch.tensor([level])
    y = torch.randn(1, 16, 32, 48) * torch.rand(16)[:, None, None]
    trained = precise(y, at)
    gain = torch.exp2(precise.exact.log2_gain(at))[:, :, None, None]
    z_hat = precise.h_a(features(y * gain, gain, dim=1), at).round().clamp(-Z_MAX, Z_MAX)
    assert z_hat.std() > 0.3
    parts = split_passes(y.double().permute(0, 2, 3, 1))
    symbols, indexes = [], []

    def code(known: LatentPass) -> NDArray[np.int32]:
        means = known.means_hat / (1 << VALUE_BITS)
        steps = parts[known.pass_index][0].numpy() * (known.gain / (1 << GAIN_BITS)) - means
        rounded = np.where(known.indexes == SKIPPED, 0, np.rint(steps)).astype(np.int32)
        symbols.append(rounded.ravel())
        indexes.append(known.indexes.ravel())
        return rounded

    y_hat = exact.dequantise(exact.traverse(z_hat[0].permute(1, 2, 0).int().numpy(), level, code), level)
    coded = gaussian_tables(scale_grid()).bits(np.concatenate(symbols), np.concatenate(indexes))
    assert np.count_nonzero(np.concatenate(symbols)) > 3000
    assert coded == pytest.approx(trained.y_bits.item(), rel=0.02)
    decoded = torch.from_numpy(y_hat)
    for apart in split_passes((decoded - trained.y_hat).abs().permute(0, 2, 3, 1)):
        # Floats and integers break ties of rounding differently; one unit of an activation is 1/16.
        assert apart.median() < 0.03
    assert decoded.shape == y.shape
    error, expected = ((found - y).square().mean().item() for found in (decoded, trained.y_hat))
    assert error == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("level", [0, 640, 1000])
@torch.no_grad()
def test_the_codec_predicts_what_the_networks_predict_of_the_same_symbols(
    prior: Prior, exact: QuadtreePrior, level: int
) -> None:
    z_hat = torch.randint(-8, 9, (8, 12, 8), dtype=torch.int32)
    drawn = [torch.randint(-3, 4, (16, 24, 4, 4), dtype=torch.int32) for _ in range(4)]
    passes: list[LatentPass] = []

    def code(known: LatentPass) -> NDArray[np.int32]:
        passes.append(known)
        return drawn[known.pass_index].numpy()

    decoded = exact.traverse(z_hat.numpy(), level, code)
    state, at = prior.exact.h_s(z_hat[None] / 4), torch.tensor([level])
    gains = split_passes(torch.exp2(prior.exact.log2_gain(at))[:, None, None].expand(1, 32, 48, 16))
    for known, values, gain in zip(passes, split_passes(torch.from_numpy(decoded)[None]), gains, strict=True):
        mean, log2_scale = prior.exact.context.predict(known.pass_index, state, at)
        means_hat = torch.from_numpy(known.means_hat / (1 << VALUE_BITS))
        assert torch.equal(values[0], (drawn[known.pass_index] << VALUE_BITS) + torch.from_numpy(known.means_hat))
        apart = (means_hat - mean[0] * gain[0]).abs() / gain[0]
        assert apart.median() < 0.01
        assert apart.quantile(0.99) < 0.1
        index = ((log2_scale + torch.log2(gain)) * 256 - LOG2_SCALE_MIN) / SCALE_STEP
        off = (torch.from_numpy(known.indexes.astype(np.int64)) - index[0].round().clamp(0, 63)).abs()
        assert (off == 0).float().mean() > 0.9
        assert (off <= 1).float().mean() > 0.99
        if known.pass_index < 3:
            seen = features(values / (1 << VALUE_BITS), gain, dim=-1).float()
            state = prior.exact.context.absorb(known.pass_index, state, seen)


@torch.no_grad()
def test_the_codec_sees_values_and_magnitudes_as_training_does(exact: QuadtreePrior) -> None:
    log2_gain = torch.tensor([-700, -3, 0, 100, 1024], dtype=torch.int32)
    value = torch.randint(-(300 << VALUE_BITS), 300 << VALUE_BITS, (50, 5))
    found = torch.from_numpy(exact._features(value.numpy(), log2_gain.numpy())).double() / 256
    expected = features(value.double() / (1 << VALUE_BITS), torch.exp2(log2_gain.double() / 256), dim=-1)
    assert found.shape == (50, 10)
    torch.testing.assert_close(found[:, :5], expected[:, :5], rtol=2e-6, atol=0.5 / 256 + 1e-6)
    # Magnitudes are looked up in steps of 1/16, and stored in 1/256.
    near_zero = 1 / 16 / math.log(2) + 2 / 256
    torch.testing.assert_close(found[:, 5:], expected[:, 5:], rtol=0, atol=near_zero)
