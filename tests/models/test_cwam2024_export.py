from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cwic.errors import FormatError, ModelError
from cwic.latents import gaussian
from cwic.latents.wide import FRACTION_BITS
from cwic.config import Cwam2024Config
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.models.CWAMEXPORT import ExportedCwam2024, export
from cwic.lab.official import load_official


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Cwam2024Model:
    return load_official(checkpoint)


@pytest.fixture(scope="module")
def exported(network: Cwam2024Model) -> ExportedCwam2024:
    return export(network)


@torch.no_grad()
def test_files_hold_what_the_network_asks_for(
    network: Cwam2024Model, exported: ExportedCwam2024, picture: Tensor
) -> None:
    y = network.g_a(picture)
    coded = exported.encode_latents(y)
    assert torch.equal(exported.decode_latents(coded.data, coded.crc, 64, 128), coded.decoded)

    y_hat = (coded.decoded.double() / (1 << FRACTION_BITS)).float().permute(0, 3, 1, 2)
    z_hat, z_likelihoods = network.entropy_bottleneck(network.h_a(y))
    scales, means = network.context(y_hat, network.h_s(z_hat))
    # What is written is round(y - mean); the two means may differ by what integers round.
    symbols = y_hat - means
    assert ((y_hat - y).abs() < 0.501).all()
    assert (symbols - symbols.round()).abs().max() < 2e-3
    likelihoods = gaussian.likelihood(symbols.round(), scales)
    bits = -(likelihoods.log2().sum() + z_likelihoods.log2().sum()).item()
    assert 0.97 * bits < 8 * len(coded.data) < 1.05 * bits + 64
    torch.testing.assert_close(exported.synthesise(coded.decoded), network.g_s(y_hat), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_analysis_may_be_less_precise_and_no_more(
    network: Cwam2024Model, exported: ExportedCwam2024, picture: Tensor
) -> None:
    y = network.g_a(picture)
    assert (exported.analyse(picture) - y).abs().max() < 0.02 * y.abs().max()


@pytest.mark.parametrize("N", [8, 24, 200])
def test_every_width_has_tables(N: int) -> None:
    torch.manual_seed(1)
    model = Cwam2024Model(Cwam2024Config(N, attention="none", feature_encoding=False, residual_attention=False))
    exported = export(model.eval())
    assert len(exported.tables) == 64 + min(N, 192)
    assert exported.prior.z_index.min() == 64
    assert exported.prior.z_index.max() == len(exported.tables) - 1
    # The tables are the bottleneck's masses around its medians.
    bottleneck, channel = model.entropy_bottleneck, N - 1
    table = exported.tables[int(exported.prior.z_index[channel])]
    around = bottleneck.medians + torch.tensor([-1.0, 0.0, 1.0])
    masses = bottleneck.likelihoods(around[None].transpose(2, 3))[0, channel, :, 0]
    middle = len(table) // 2 - 1
    rtol = 1e-3 if N < 192 else 0.1
    np.testing.assert_allclose(table[middle - 1 : middle + 2] / 2**24, masses.detach(), rtol=rtol)


@torch.no_grad()
def test_without_context_it_is_a_mean_scale_hyperprior(picture: Tensor) -> None:
    torch.manual_seed(4)
    config = Cwam2024Config(16, attention="none", feature_encoding=False, residual_attention=False, context="none")
    model = Cwam2024Model(config).eval()
    model.g_a.layers[7].weight.mul_(20)
    exported = export(model)
    coded = exported.encode(picture)
    assert coded.decoded.count_nonzero() > 0
    assert torch.equal(exported.decode_latents(coded.data, coded.crc, 64, 128), coded.decoded)
    assert exported.synthesise(coded.decoded).shape == picture.shape


@pytest.mark.parametrize("position", [0, 40, -1])
def test_damage_is_found(exported: ExportedCwam2024, picture: Tensor, position: int) -> None:
    coded = exported.encode(picture)
    damaged = bytearray(coded.data)
    damaged[position] ^= 8
    with pytest.raises(FormatError):
        exported.decode_latents(bytes(damaged), coded.crc, 64, 128)


def test_tiles_cannot_swap(exported: ExportedCwam2024, picture: Tensor) -> None:
    coded = exported.encode_latents(exported.analyse(picture), tile=1)
    with pytest.raises(FormatError, match="checksum"):
        exported.decode_latents(coded.data, coded.crc, 64, 128, tile=2)


def test_quantiles_that_are_no_numbers_are_refused(picture: Tensor) -> None:
    model = Cwam2024Model(Cwam2024Config(8, attention="none", feature_encoding=False))
    with torch.no_grad():
        model.entropy_bottleneck.quantiles[0, 0, 0] = float("nan")
    with pytest.raises(ModelError, match="quantiles"):
        export(model)
