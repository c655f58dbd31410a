from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cwic.errors import ModelError
from cwic.lab.serial_context import NoContext, SerialContext
from cwic.latents.exact_serial import FIRST_INDEX, ExactSerialPrior, Wave
from cwic.latents.wide import FRACTION_BITS
from cwic.lab.gaussian import scale_grid
from cwic.lab.cwam2024_hyper import hyper_synthesis

N = 8
UNIT = 1 << FRACTION_BITS


@pytest.fixture
def h_s() -> nn.Sequential:
    torch.manual_seed(5)
    network = hyper_synthesis(N)
    with torch.no_grad():
        network[8].weight.mul_(8)
        network[8].bias[:N] += 1  # most scales above the lowest
    return network


@pytest.fixture
def context() -> SerialContext:
    torch.manual_seed(6)
    context = SerialContext(N)
    with torch.no_grad():
        context.entropy_parameters[4].weight.mul_(4)
        context.entropy_parameters[4].bias[:N] += 1
    return context


@pytest.fixture
def medians() -> Tensor:
    return torch.linspace(-0.5, 0.5, N)


def make(h_s: nn.Sequential, context: SerialContext | NoContext, medians: Tensor) -> ExactSerialPrior:
    prior = ExactSerialPrior(N, isinstance(context, SerialContext))
    prior.take(h_s, context, medians)
    prior.prove_bounds()
    return prior


@pytest.mark.parametrize("serial", [True, False])
@torch.no_grad()
def test_it_predicts_what_the_float_networks_predict(
    h_s: nn.Sequential, context: SerialContext, medians: Tensor, serial: bool
) -> None:
    networks = context if serial else NoContext()
    prior = make(h_s, networks, medians)
    z = torch.randint(-4, 5, (1, 2, 3, N))
    drawn, seen = torch.randint(-5, 6, (8 * 12, N)), {}

    def code(wave: Wave) -> Tensor:
        for position, indexes, mean in zip(wave.positions.tolist(), wave.indexes, wave.mean, strict=True):
            seen[position] = (indexes, mean / UNIT)
        return drawn[wave.positions].int()

    decoded = prior.traverse(z, code)
    assert decoded.shape == (1, 8, 12, N)
    assert decoded.dtype == torch.int64
    y_hat = (decoded.double() / UNIT).float().permute(0, 3, 1, 2)
    scales, means = networks(y_hat, h_s(z.permute(0, 3, 1, 2) + medians[:, None, None]))
    found_means = torch.stack([seen[i][1] for i in range(96)]).T.reshape(means[0].shape)
    torch.testing.assert_close(found_means.float(), means[0], rtol=1e-3, atol=2e-3)
    assert torch.equal(decoded[0].view(96, N), drawn * UNIT + torch.stack([seen[i][1] for i in range(96)]).mul(UNIT))
    # Each index stands for the nearest of the grid's scales, in the logarithm.
    grid = torch.tensor(scale_grid())[torch.stack([seen[i][0] for i in range(96)]).long()].T.reshape(scales[0].shape)
    inside = scales[0] > scale_grid()[FIRST_INDEX]
    assert inside.float().mean() > 0.5
    assert (torch.log2(grid / scales[0])[inside].abs() < 3 / 32 + 0.01).all()


@torch.no_grad()
def test_a_position_does_not_know_what_comes_after_it(
    h_s: nn.Sequential, context: SerialContext, medians: Tensor
) -> None:
    prior = make(h_s, context, medians)
    z = torch.zeros(1, 1, 2, N, dtype=torch.int32)
    first = torch.randint(-5, 6, (4 * 8, N)).int()
    second = first.clone()
    second[12] += 3
    a, b = (prior.traverse(z, lambda wave, drawn=drawn: drawn[wave.positions]) for drawn in (first, second))
    changed = (a != b).any(dim=-1).flatten().nonzero().flatten().tolist()
    assert min(changed) == 12
    assert {13, 14, 18, 19, 20, 21, 22} <= set(changed)


def test_without_a_context_there_is_one_wave(h_s: nn.Sequential, medians: Tensor) -> None:
    calls = []

    def code(wave: Wave) -> Tensor:
        calls.append(wave.positions.tolist())
        return torch.zeros(len(wave.positions), N, dtype=torch.int32)

    make(h_s, NoContext(), medians).traverse(torch.zeros(1, 1, 2, N, dtype=torch.int32), code)
    assert calls == [list(range(32))]


def test_symbols_beyond_all_numbers_stay_exact(h_s: nn.Sequential, context: SerialContext, medians: Tensor) -> None:
    prior = make(h_s, context, medians)
    z = torch.full((1, 1, 1, N), 32767)
    decoded = prior.traverse(z, lambda wave: torch.full((len(wave.positions), N), -32768).int())
    assert ((decoded + 32768 * UNIT).abs() < 1 << 23).all()


def test_a_prior_that_fits_no_integers_is_refused(h_s: nn.Sequential, context: SerialContext, medians: Tensor) -> None:
    with torch.no_grad():
        context.entropy_parameters[2].weight[0, 0] = float("inf")
    with pytest.raises(ModelError, match=r"entropy_parameters\.1"):
        make(h_s, context, medians)
