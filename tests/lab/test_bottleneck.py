from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cwic.lab.bottleneck import TAIL_LOGIT, EntropyBottleneck


@pytest.fixture
def bottleneck() -> EntropyBottleneck:
    """Four densities as if trained: not alike, not symmetric."""
    bottleneck = EntropyBottleneck(4).eval()
    with torch.no_grad():
        for parameter in [*bottleneck.matrices, *bottleneck.factors]:
            parameter.add_(0.4 * torch.randn_like(parameter))
        bottleneck.quantiles.add_(torch.randn(4, 1, 1))
    return bottleneck


def cumulative(bottleneck: EntropyBottleneck, channel: int, value: float) -> float:
    """The docstring's equations in Python's floats."""
    h = [value]
    for i in range(5):
        rows = torch.log1p(torch.exp(bottleneck.matrices[i][channel].double())).tolist()
        bias = bottleneck.biases[i][channel].flatten().tolist()
        g = [sum(a * b for a, b in zip(row, h, strict=True)) + b for row, b in zip(rows, bias, strict=True)]
        if i < 4:
            factor = bottleneck.factors[i][channel].flatten().tolist()
            g = [x + math.tanh(f) * math.tanh(x) for x, f in zip(g, factor, strict=True)]
        h = g
    return 1 / (1 + math.exp(-h[0]))


def test_likelihoods_are_differences_of_the_cumulative(bottleneck: EntropyBottleneck) -> None:
    z_hat = 6 * torch.randn(2, 4, 3, 2)
    likelihoods = bottleneck.likelihoods(z_hat)
    for b, c, i, j in ((0, 0, 0, 0), (0, 3, 2, 1), (1, 1, 0, 1), (1, 2, 2, 0)):
        v = z_hat[b, c, i, j].item()
        expected = cumulative(bottleneck, c, v + 0.5) - cumulative(bottleneck, c, v - 0.5)
        assert likelihoods[b, c, i, j].item() == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_likelihoods_of_the_integers_make_one_and_are_bounded(bottleneck: EntropyBottleneck) -> None:
    line = torch.arange(-3000.0, 3001.0).expand(1, 4, 1, -1)
    likelihoods = bottleneck.likelihoods(line)
    torch.testing.assert_close(likelihoods.sum(dim=-1), torch.ones(1, 4, 1), rtol=0, atol=1e-4)
    assert likelihoods.min().item() == pytest.approx(1e-9)


def test_evaluation_rounds_about_the_median_and_training_adds_one_draw_of_noise(bottleneck: EntropyBottleneck) -> None:
    z = 4 * torch.randn(2, 4, 3, 3)
    z_hat, likelihoods = bottleneck(z)
    steps = z_hat - bottleneck.quantiles[:, 0, 1].detach()[:, None, None]
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-5)
    assert (z_hat - z).abs().max() <= 0.5 + 1e-5
    assert torch.equal(likelihoods, bottleneck.likelihoods(z_hat))
    z_hat, likelihoods = bottleneck.train()(z)
    assert (z_hat - z).unique().numel() > 60
    assert (z_hat - z).abs().max() <= 0.5
    assert torch.equal(likelihoods, bottleneck.likelihoods(z_hat))


def test_the_rate_teaches_the_networks_and_the_auxiliary_loss_the_quantiles(bottleneck: EntropyBottleneck) -> None:
    (-bottleneck.train()(torch.randn(1, 4, 4, 4)).likelihoods.log2()).sum().backward()
    taught = {name for name, p in bottleneck.named_parameters() if p.grad is not None and p.grad.any()}
    assert taught == {name for name, _ in bottleneck.named_parameters()} - {"quantiles"}
    bottleneck.zero_grad()
    bottleneck.aux_loss().backward()
    assert [name for name, p in bottleneck.named_parameters() if p.grad is not None] == ["quantiles"]


def test_the_auxiliary_loss_moves_the_quantiles_to_the_median_and_the_tails(bottleneck: EntropyBottleneck) -> None:
    assert math.log(2 / 1e-9 - 1) == pytest.approx(TAIL_LOGIT)
    optimizer = torch.optim.Adam([bottleneck.quantiles])
    before = bottleneck.aux_loss().item()
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 10 * 0.98**step
        optimizer.zero_grad()
        bottleneck.aux_loss().backward()
        optimizer.step()
    assert bottleneck.aux_loss().item() < 0.1 * before
    for channel, median in enumerate(bottleneck.medians.flatten().tolist()):
        assert cumulative(bottleneck, channel, median) == pytest.approx(0.5, abs=0.02)


def test_it_starts_as_published() -> None:
    bottleneck = EntropyBottleneck(2)
    assert bottleneck.matrices[0].unique().item() == pytest.approx(-1.45213, abs=1e-5)
    assert bottleneck.matrices[4].unique().item() == pytest.approx(-0.12851, abs=1e-5)
    assert not any(factor.any() for factor in bottleneck.factors)
    assert all(bias.abs().max() <= 0.5 for bias in bottleneck.biases)
    assert bottleneck.quantiles.tolist() == [[[-10.0, 0.0, 10.0]]] * 2
    assert sum(p.numel() for p in EntropyBottleneck(320).parameters()) == 19_520


@torch.no_grad()
def test_the_published_bottleneck_agrees(golden: Any) -> None:
    weights: dict[str, Tensor] = golden.weights("entropy_bottleneck.")
    names = {"_matrix": "matrices.", "_bias": "biases.", "_factor": "factors."}
    state = {"quantiles": weights["quantiles"]}
    state |= {ours + n[-1]: t for n, t in weights.items() for beginning, ours in names.items() if n[:-1] == beginning}
    bottleneck: nn.Module = EntropyBottleneck(16).eval()
    bottleneck.load_state_dict(state)
    z_hat, likelihoods = bottleneck(golden["z"])
    torch.testing.assert_close(z_hat, golden["z_hat"], rtol=0, atol=1e-5)
    torch.testing.assert_close(likelihoods, golden["z_likelihoods"], rtol=1e-4, atol=1e-8)
    bits = -likelihoods.log2().sum().item()
    assert bits == pytest.approx(golden["likelihood_z_bits"].item(), rel=1e-5)
