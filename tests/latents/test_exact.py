from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cwic.entropy.tables import Tables
from cwic.errors import ModelError
from cwic.latents.exact import GAIN_BITS, GAIN_OCTAVES, VALUE_BITS, ExactPrior, LatentPass
from cwic.lab.passes import split_passes
from cwic.lab.prior import Prior, features


def test_the_gain_is_a_power_of_two_to_24_bits(exact: ExactPrior) -> None:
    log2_gain = torch.arange(-GAIN_OCTAVES * 256, GAIN_OCTAVES * 256 + 1, dtype=torch.int32)
    gain = exact.gain(log2_gain).double() / (1 << GAIN_BITS)
    expected = torch.exp2(log2_gain.double() / 256)
    error = (gain - expected).abs()
    assert (error / expected)[log2_gain >= -3 * 256].max() < 2.0**-20
    assert error[log2_gain < -3 * 256].max() <= 2.0**-GAIN_BITS  # relative precision runs out with the bits


def test_nothing_in_the_exact_path_is_a_float(exact: ExactPrior) -> None:
    assert not list(exact.parameters())
    assert {t.dtype for t in exact.buffers()} == {torch.int8, torch.int32}


@pytest.mark.parametrize("level", [100, 500, 900])
@torch.no_grad()
def test_the_twins_agree(prior: Prior, exact: ExactPrior, tables: Tables, level: int) -> None:
    levels = torch.tensor([level])
    y = torch.randn(1, 16, 32, 48) * torch.rand(16)[:, None, None]
    prior.error_weight = 1e6  # errors weigh so much that all rounding is to the nearest
    trained = prior(y, levels)
    gain = torch.exp2(prior.exact.log2_gain(levels))[:, :, None, None]
    z_hat = prior.h_a(features(y * gain, gain, dim=1), levels).round().clamp(-31, 31)
    assert z_hat.std() > 0.3
    parts = split_passes(y.double().permute(0, 2, 3, 1))
    coded: list[tuple[Tensor, Tensor]] = []

    def code(p: LatentPass) -> Tensor:
        steps = parts[p.step] * (p.gain.double() / (1 << GAIN_BITS)) - p.mean.double() / (1 << VALUE_BITS)
        symbols = torch.where(p.indexes == 0, 0, steps.round()).int()
        coded.append((symbols, p.indexes.expand_as(symbols)))
        return symbols

    decoded = exact.dequantise(exact.traverse(z_hat.permute(0, 2, 3, 1).int(), levels, code), levels)
    symbols, indexes = (np.concatenate([c[i].flatten().numpy() for c in coded]) for i in (0, 1))
    assert np.count_nonzero(symbols) > 3000
    assert tables.bits(symbols, indexes) == pytest.approx(trained.y_bits.item(), rel=0.02)
    for apart in split_passes((decoded - trained.y_hat).abs().permute(0, 2, 3, 1)):
        # The networks break ties of rounding differently; one unit of an activation is 1/16.
        assert apart.median() < 0.03
    assert decoded.shape == y.shape
    error, expected = ((y_hat - y).square().mean().item() for y_hat in (decoded, trained.y_hat))
    assert error == pytest.approx(expected, rel=0.02)


@torch.no_grad()
def test_values_and_magnitudes_fed_back_are_those_of_training(exact: ExactPrior) -> None:
    log2_gain = torch.tensor([-700, -3, 0, 100, 1024], dtype=torch.int32)
    value = torch.randint(-(300 << VALUE_BITS), 300 << VALUE_BITS, (50, 5))
    out = exact._features(value, log2_gain).double() / 256
    expected = features(value.double() / (1 << VALUE_BITS), torch.exp2(log2_gain.double() / 256), dim=-1)
    assert out.shape == (50, 10)
    torch.testing.assert_close(out[:, :5], expected[:, :5], rtol=2e-6, atol=0.5 / 256 + 1e-6)
    # Magnitudes are looked up in steps of 1/16, and stored in 1/256.
    near_zero = 1 / 16 / np.log(2) + 2 / 256
    torch.testing.assert_close(out[:, 5:], expected[:, 5:], rtol=0, atol=near_zero)


@torch.no_grad()
def test_dequantising_divides_by_the_gain(exact: ExactPrior) -> None:
    level = torch.tensor([640])
    decoded = torch.randint(-5000, 5000, (1, 2, 3, 16))
    y_hat = exact.dequantise(decoded, level)
    gain = torch.exp2(exact.log2_gain(level).double() / 256)[0]
    assert y_hat.shape == (1, 16, 2, 3)
    torch.testing.assert_close(y_hat.permute(0, 2, 3, 1).double(), decoded / 64 / gain, rtol=1e-6, atol=0)


@torch.no_grad()
def test_extreme_symbols_do_not_overflow(exact: ExactPrior) -> None:
    means = []

    def code(p: LatentPass) -> Tensor:
        means.append(p.mean)
        return torch.full((1, 2, 2, 4, 4), 32767 if p.step % 2 else -32767, dtype=torch.int32)

    decoded = exact.traverse(torch.full((1, 1, 1, 8), 31, dtype=torch.int32), torch.tensor([1000]), code)
    # Activations saturate at 127/16, so means stay small whatever is fed back.
    assert max(int(m.abs().max()) for m in means) < 1 << (VALUE_BITS + 12)
    assert (decoded.abs() >> VALUE_BITS).min() > 30000


def test_absurd_multipliers_and_weights_are_refused(exact: ExactPrior) -> None:
    exact.prove_bounds()
    layer = exact.networks.context.heads[2]
    layer.multiplier[:] = 2**31 - 1
    layer.weight[:] = 127
    with pytest.raises(ModelError, match="streams could overflow"):
        exact.prove_bounds()
    layer.weight = torch.full((4, 8, 1100), 127, dtype=torch.int8)
    with pytest.raises(ModelError, match=r"context\.heads\.2 could overflow"):
        exact.prove_bounds()
