from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cwic.config import Cwam2024Config
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.gaussian import likelihood
from cwic.lab.official import load_official


def parameters(config: Cwam2024Config) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in Cwam2024Model(config).parameters())


@pytest.fixture
def small() -> Cwam2024Model:
    """As if trained a little: y worth rounding, and no part idle."""
    torch.manual_seed(2)
    model = Cwam2024Model(Cwam2024Config(16))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("conv5.weight"):
                parameter.normal_(std=0.05)
            elif "attention.conv" in name and name.endswith("bias"):  # so few rectifiers may all be off
                parameter.uniform_(0, 0.5)
        model.g_a.layers[7].weight.mul_(20)
    return model


@pytest.mark.parametrize(("N", "published"), [(64, 3_133_850), (128, 10_579_322), (192, 22_974_441), (320, 62_606_362)])
def test_parameters_are_the_published_number(N: int, published: int) -> None:
    assert parameters(Cwam2024Config(N)) == published


def test_ablations_take_away_the_parameters_of_what_they_leave_out() -> None:
    C = 320
    full = parameters(Cwam2024Config(C))
    assert full - parameters(Cwam2024Config(C, feature_encoding=False)) == 2 * 313_987
    assert full - parameters(Cwam2024Config(C, attention="none")) == 2 * (3_031_120 + 3_028_304)
    kv, merges = 2 * C * C + 2 * C, 3 * C * C + 2 * C
    tables = 8 * (15**2 + 7**2)
    assert full - parameters(Cwam2024Config(C, attention="window")) == 4 * (kv + merges) + 2 * tables


@torch.no_grad()
def test_it_costs_what_it_says() -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        Cwam2024Model(Cwam2024Config()).eval()(torch.zeros(1, 3, 256, 256))
    assert round(counter.get_total_flops() / 2 / 256**2) == 1_595_364
    overlapping = 2 * 1.5 * 320**2 * (1 / 16 + 1 / 256)  # kv on every coarse token of every window, as released
    assert 1_595_364 + overlapping == pytest.approx(1_615_764, abs=1)


@pytest.mark.parametrize(
    "config",
    [
        Cwam2024Config(8),
        Cwam2024Config(24, attention="window"),
        Cwam2024Config(8, attention="none"),
        Cwam2024Config(8, feature_encoding=False),
        Cwam2024Config(8, attention="none", feature_encoding=False),
    ],
)
def test_every_variant_runs(config: Cwam2024Config) -> None:
    model, x = Cwam2024Model(config), torch.rand(2, 3, 64, 128)
    for _ in range(2):
        x_hat, y_bits, z_bits = model(x)
        assert x_hat.shape == x.shape
        assert y_bits.shape == z_bits.shape == (2,)
        assert (y_bits > 0).all()
        assert (z_bits > 0).all()
        (x_hat.square().mean() + y_bits.sum() + z_bits.sum()).backward()
        model.eval()


def test_one_step_of_training_reaches_every_parameter_but_the_hidden_taps(small: Cwam2024Model) -> None:
    x_hat, y_bits, z_bits = small.train()(torch.rand(2, 3, 64, 128))
    (x_hat.square().mean() + 1e-3 * (y_bits + z_bits).sum()).backward()
    untouched = [name for name, p in small.named_parameters() if p.grad is None or not p.grad.any()]
    assert untouched == ["entropy_bottleneck.quantiles"]
    small.aux_loss().backward()
    assert small.entropy_bottleneck.quantiles.grad.any()
    context = small.context.context_prediction
    seen = context.weight.grad.abs().amax(dim=(0, 1)) > 0
    assert torch.equal(seen, context.mask == 1)


def test_a_few_steps_of_training_lower_the_loss(small: Cwam2024Model) -> None:
    x = torch.rand(1, 3, 4, 4)
    x = nn.functional.interpolate(x, (64, 64), mode="bilinear")
    optimizer = torch.optim.Adam(small.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        x_hat, y_bits, z_bits = small(x)
        loss = 0.05 * 255**2 * (x_hat - x).square().mean() + (y_bits + z_bits).mean() / 64**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.7 * losses[0]


@torch.no_grad()
def test_training_draws_noise_twice_for_y_and_evaluation_rounds(small: Cwam2024Model) -> None:
    x = torch.rand(1, 3, 64, 64)
    first, second = small.train().latents(x), small.latents(x)
    assert torch.equal(first.y, second.y)
    for latents in (first, second):
        noise = latents.y_hat - latents.y
        assert noise.abs().max() <= 0.5
        assert noise.std() == pytest.approx(12**-0.5, rel=0.2)
    assert not torch.equal(first.y_hat, second.y_hat)
    # The rate's own draw: the same noise would give these likelihoods.
    shared = likelihood(first.y_hat - first.means_hat, first.scales_hat)
    assert (shared - first.y_likelihoods).abs().max() > 0.01

    latents = small.eval().latents(x)
    assert torch.equal(latents.y_hat, latents.y.round())
    coded = likelihood((latents.y - latents.means_hat).round(), latents.scales_hat)
    torch.testing.assert_close(latents.y_likelihoods, coded)
    assert small(x).y_bits.item() == pytest.approx(-coded.log2().sum().item(), rel=1e-5)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (100, 128), (32, 64)])
def test_sides_that_do_not_fit_are_refused_before_anything_runs(height: int, width: int) -> None:
    model = Cwam2024Model(Cwam2024Config(8))
    with pytest.raises(ValueError, match=f"multiples of 64, not {width}x{height}"):
        model(torch.zeros(1, 3, height, width))


@torch.no_grad()
def test_the_recorded_outputs_are_reproduced(recorded: Any, checkpoint: Any) -> None:
    expected = load_file(recorded.FILE)
    found = recorded.outputs(load_official(checkpoint), recorded.seeded_picture())
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        bits = name.endswith("_bits")
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5 if bits else 0, atol=0 if bits else 1e-4)
    assert recorded.FILE.stat().st_size < 300_000


@pytest.mark.parametrize(
    ("prefix", "y_bits", "z_bits"),
    [
        ("", "likelihood_y_bits", "likelihood_z_bits"),
        ("64/", "64/y_bits", "64/z_bits"),
        ("b2/", "b2/y_bits", "b2/z_bits"),
    ],
)
@torch.no_grad()
def test_the_published_network_agrees(golden: Any, prefix: str, y_bits: str, z_bits: str) -> None:
    model = load_official(golden.path)
    x = golden[f"{prefix}input"]
    latents, output = model.latents(x), model(x)
    found: dict[str, Tensor] = {
        "y": latents.y,
        "scales": latents.scales_hat,
        "means": latents.means_hat,
        "x_hat": output.x_hat,
    }
    if not prefix:
        found |= {"y_hat": latents.y_hat, "z_hat": latents.z_hat}
        torch.testing.assert_close(latents.y_likelihoods, golden["y_likelihoods"], rtol=1e-3, atol=1e-5)
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, golden[prefix + name], rtol=0, atol=1e-4)
    assert output.y_bits.sum().item() == pytest.approx(golden[y_bits].item(), rel=1e-5)
    assert output.z_bits.sum().item() == pytest.approx(golden[z_bits].item(), rel=1e-5)
