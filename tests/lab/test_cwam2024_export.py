from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from cwic.config import Cwam2024Config
from cwic.errors import ModelError
from cwic.lab import gaussian
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwam2024_export import exact_tensors, export, to_fixed, wide_layer
from cwic.lab.official import load_official
from cwic.lab.serial_context import SerialContext
from cwic.latents.scales import SCALES, scale_grid
from cwic.latents.serial import FIRST_INDEX, SerialPrior, Wave
from cwic.latents.symbols import Discard
from cwic.latents.wide import FRACTION_BITS, NUMBER_MAX, WideConv3x3, WideLayer
from cwic.models import cwam2024 as coding
from cwic.models.base import encode

UNIT = 1 << FRACTION_BITS
PLAIN = Cwam2024Config(16, attention="none", feature_encoding=False, residual_attention=False, context="none")
N = 8


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Cwam2024Model:
    """The published network with seeded weights, N = 16."""
    return load_official(checkpoint)


@pytest.fixture(scope="module")
def exported(network: Cwam2024Model) -> coding.Cwam2024Model:
    return export(network)


def numbers(y_hat: Tensor) -> NDArray[np.int64]:
    """`[1, N, h, w]` as the codec has it."""
    return (y_hat[0].permute(1, 2, 0).double() * UNIT).round().long().numpy()


def floats(y_hat: NDArray[np.int64]) -> Tensor:
    """The inverse of `numbers`."""
    return torch.from_numpy(y_hat / UNIT).float().permute(2, 0, 1)[None]


@pytest.mark.usefixtures("any_engine")
@pytest.mark.parametrize(
    "config",
    [
        Cwam2024Config(8),
        Cwam2024Config(16, attention="window"),
        Cwam2024Config(8, attention="none"),
        Cwam2024Config(8, feature_encoding=False),
        PLAIN,
    ],
)
@torch.no_grad()
def test_the_graphs_give_what_the_trained_networks_give(config: Cwam2024Config) -> None:
    model = Cwam2024Model(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("conv5.weight"):
            nn.init.normal_(parameter, std=0.1)
    model.g_a.layers[7].get_parameter("weight").mul_(5)
    model.entropy_bottleneck.quantiles.add_(torch.randn(config.N, 1, 1))
    exported = export(model)
    x = torch.rand(1, 3, 48, 112)  # 3 by 7 positions at 1/16, which are no whole windows
    y = model.g_a(x)
    assert y.std() > 0.01
    found = torch.from_numpy(exported.finish_analysis(exported.prepare_analysis(x.numpy())))
    torch.testing.assert_close(found, y, rtol=1e-4, atol=1e-4)

    z = model.h_a(y[:, :, :4]) - model.entropy_bottleneck.medians
    found = torch.from_numpy(exported._networks["h_a"]({"y": y[:, :, :4].numpy()}))
    torch.testing.assert_close(found, z, rtol=1e-4, atol=1e-4)

    y_hat = torch.randint(-9, 10, y.shape) / 4
    found = torch.from_numpy(exported.synthesise(numbers(y_hat)))
    torch.testing.assert_close(found, model.g_s(y_hat), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("any_engine")
def test_the_recorded_outputs_of_the_published_network_are_reproduced(
    exported: coding.Cwam2024Model, recorded: ModuleType
) -> None:
    expected: dict[str, Tensor] = load_file(recorded.FILE)
    x = recorded.seeded_picture().numpy()
    y = exported.finish_analysis(exported.prepare_analysis(x))
    torch.testing.assert_close(torch.from_numpy(y), expected["y"], rtol=1e-5, atol=1e-4)
    x_hat = exported.synthesise(numbers(expected["y_hat"]))
    torch.testing.assert_close(torch.from_numpy(x_hat), expected["x_hat"], rtol=1e-5, atol=1e-4)

    class First(Discard):
        symbols: NDArray[np.int32] | None = None

        def encode(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None:
            self.symbols = symbols if self.symbols is None else self.symbols

    sink = First()
    exported.compress(y, sink=sink)
    assert sink.symbols is not None
    z_hat = sink.symbols.reshape(1, 2, 16) + exported.data.exact["medians"] / UNIT
    found = torch.from_numpy(z_hat).permute(2, 0, 1)[None].float()
    torch.testing.assert_close(found, expected["z_hat"], rtol=0, atol=0.51 / UNIT)


@torch.no_grad()
def test_files_hold_what_the_network_asks_for(
    network: Cwam2024Model, exported: coding.Cwam2024Model, picture: Tensor
) -> None:
    y = network.g_a(picture)
    coded = exported.compress(y.numpy())
    assert np.array_equal(exported.decompress(coded.data, coded.crc, 64, 128), coded.y_hat)

    y_hat = floats(coded.y_hat)
    z_hat, z_likelihoods = network.entropy_bottleneck(network.h_a(y))
    scales, means = network.context(y_hat, network.h_s(z_hat))
    # What is written is round(y - mean); the two means may differ by what integers round.
    symbols = y_hat - means
    assert ((y_hat - y).abs() < 0.501).all()
    assert (symbols - symbols.round()).abs().max() < 2e-3
    likelihoods = gaussian.likelihood(symbols.round(), scales)
    bits = -(likelihoods.log2().sum() + z_likelihoods.log2().sum()).item()
    assert 0.97 * bits < 8 * len(coded.data) < 1.05 * bits + 64


def prior_network(context: str) -> Cwam2024Model:
    """Of N channels; the parts that predict are random, and most scales above the lowest."""
    torch.manual_seed(5)
    config = Cwam2024Config(N, attention="none", feature_encoding=False, residual_attention=False, context=context)  # type: ignore[arg-type]
    model = Cwam2024Model(config).eval()
    last = [model.h_s[8]]
    if isinstance(model.context, SerialContext):
        last.append(model.context.entropy_parameters[4])
    with torch.no_grad():
        for layer in last:
            layer.weight.mul_(6)
            layer.bias[:N] += 1
        model.entropy_bottleneck.quantiles[:, 0, 1] = torch.linspace(-0.5, 0.5, N)
    return model


def prior_of(model: Cwam2024Model) -> SerialPrior:
    tensors = exact_tensors(model) | {"z_index": np.full(N, SCALES, np.uint8)}
    return SerialPrior(N, isinstance(model.context, SerialContext), tensors)


@pytest.mark.parametrize("context", ["serial", "none"])
@torch.no_grad()
def test_the_codecs_prior_predicts_what_the_networks_predict(context: str) -> None:
    model = prior_network(context)
    z, drawn = torch.randint(-4, 5, (2, 3, N)).int(), torch.randint(-5, 6, (8 * 12, N)).int()
    indexes, means_hat = np.zeros((96, N), np.int64), np.zeros((96, N))

    def code(wave: Wave) -> NDArray[np.int32]:
        indexes[wave.positions], means_hat[wave.positions] = wave.indexes, wave.means_hat / UNIT
        return drawn.numpy()[wave.positions]

    y_hat = prior_of(model).traverse(z.numpy(), code)
    assert (y_hat.shape, y_hat.dtype) == ((8, 12, N), np.int64)
    assert np.array_equal(y_hat.reshape(96, N) / UNIT, drawn.numpy() + means_hat)
    medians = model.entropy_bottleneck.medians
    scales, means = model.context(floats(y_hat), model.h_s(z.permute(2, 0, 1)[None] + medians))
    found = torch.from_numpy(means_hat).T.reshape(means[0].shape).float()
    assert means.std() > 0.1
    torch.testing.assert_close(found, means[0], rtol=1e-3, atol=2e-3)
    # Each index stands for the nearest of the grid's scales, in the logarithm.
    grid = torch.tensor(scale_grid())[torch.from_numpy(indexes)].T.reshape(scales[0].shape)
    inside = scales[0] > scale_grid()[FIRST_INDEX]
    assert inside.float().mean() > 0.5
    assert (torch.log2(grid / scales[0])[inside].abs() < 3 / 32 + 0.01).all()


def test_a_prior_that_fits_no_integers_is_refused() -> None:
    model = prior_network("serial")
    with torch.no_grad():
        model.context.entropy_parameters[2].weight[0, 0] = float("inf")
    with pytest.raises(ModelError, match=r"entropy_parameters\.1"):
        export(model)


def test_numbers_saturate() -> None:
    x = torch.tensor([0.5, -1e9, 1e9, 1 / UNIT / 4])
    assert to_fixed(x).tolist() == [UNIT / 2, -NUMBER_MAX, NUMBER_MAX, 0]


@pytest.mark.parametrize("size", [1e-6, 0.1, 1.0, 700.0])
def test_a_layer_computes_what_it_was_made_from(size: float) -> None:
    trained = nn.Linear(200, 30)
    nn.init.normal_(trained.weight, std=size)
    layer = WideLayer(wide_layer("layer", trained.weight[:, None], trained.bias), "layer", 200, 30)
    x = torch.randn(50, 200)
    found = torch.from_numpy(layer(to_fixed(x).astype(np.float64)) / UNIT)
    expected = trained.double()(x.double()).clamp(-NUMBER_MAX / UNIT, NUMBER_MAX / UNIT)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-3, atol=2e-3 + 5e-3 * size)


@pytest.mark.parametrize("upscale", [1, 2])
def test_a_convolution_is_a_convolution_and_a_shuffle(upscale: int) -> None:
    trained = nn.Conv2d(6, 5 * upscale**2, 3, padding=1)
    tensors = wide_layer("conv", trained.weight.flatten(2).transpose(1, 2), trained.bias)
    x = torch.randn(1, 6, 4, 7)
    expected = F.pixel_shuffle(trained(x), upscale)[0].permute(1, 2, 0).double()
    numbers = to_fixed(x[0].permute(1, 2, 0)).astype(np.float64)
    found = torch.from_numpy(WideConv3x3(tensors, "conv", 6, 5, upscale)(numbers) / UNIT)
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
@pytest.mark.parametrize("where", ["weight", "bias"])
def test_what_fits_no_number_is_refused(where: str, value: float) -> None:
    values = {"weight": torch.zeros(2, 1, 3), "bias": torch.zeros(2)}
    values[where].view(-1)[0] = value
    with pytest.raises(ModelError, match=r"layer has .* too large for fixed-point numbers, or not finite"):
        wide_layer("layer", **values)


@pytest.mark.parametrize("N", [8, 24, 200])
def test_every_width_has_tables(N: int) -> None:
    torch.manual_seed(1)
    model = Cwam2024Model(Cwam2024Config(N, attention="none", feature_encoding=False, residual_attention=False))
    data = export(model.eval()).data
    z_index: NDArray[Any] = data.exact["z_index"]
    assert len(data.tables) == 64 + min(N, 192)
    assert z_index.min() == 64
    assert z_index.max() == len(data.tables) - 1
    # The tables are the bottleneck's masses around its medians.
    bottleneck, channel = model.entropy_bottleneck, N - 1
    table = data.tables[int(z_index[channel])]
    around = bottleneck.medians + torch.tensor([-1.0, 0.0, 1.0])
    masses = bottleneck.likelihoods(around[None].transpose(2, 3))[0, channel, :, 0]
    middle = len(table) // 2 - 1
    rtol = 1e-3 if N < 192 else 0.1
    np.testing.assert_allclose(table[middle - 1 : middle + 2] / 2**24, masses.detach(), rtol=rtol)


@torch.no_grad()
def test_without_context_it_is_a_mean_scale_hyperprior(picture: Tensor) -> None:
    torch.manual_seed(4)
    model = Cwam2024Model(PLAIN).eval()
    model.g_a.layers[7].get_parameter("weight").mul_(20)
    exported = export(model)
    coded = encode(exported, picture.numpy())
    assert np.count_nonzero(coded.y_hat) > 0
    assert np.array_equal(exported.decompress(coded.data, coded.crc, 64, 128), coded.y_hat)
    assert exported.synthesise(coded.y_hat).shape == picture.shape


def test_quantiles_that_are_no_numbers_are_refused() -> None:
    model = Cwam2024Model(PLAIN)
    with torch.no_grad():
        model.entropy_bottleneck.quantiles[0, 0, 0] = float("nan")
    with pytest.raises(ModelError, match="quantiles"):
        export(model)
