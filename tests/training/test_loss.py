from __future__ import annotations

import numpy as np
import pytest
import torch

from cwic.errors import InputError
from cwic.evaluation.metrics import ms_ssim
from cwic.lab.cwic import ModelOutput
from cwic.training.loss import formula, rate_distortion, tint
from cwic.training.ssimulacra2 import ssimulacra2


@pytest.mark.parametrize("balance", [0.0, 0.4])
def test_the_loss_is_lambda_255_squared_mse_plus_bpp(balance: float) -> None:
    x = torch.rand(2, 3, 8, 16)
    offset = torch.tensor([0.1, -0.02])
    output = ModelOutput(x + offset[:, None, None, None], torch.tensor([100.0, 20.0]), torch.tensor([28.0, 12.0]))
    lmbda = torch.tensor([0.0026, 0.106])
    result = rate_distortion(output, x, lmbda, balance)
    torch.testing.assert_close(result.bpp, torch.tensor([1.0, 0.25]))
    torch.testing.assert_close(result.mse, offset**2, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(result.cost, lmbda * 255**2 * result.mse + result.bpp)
    torch.testing.assert_close(result.loss, (result.cost / lmbda**balance).mean())


def test_gradients_flow_from_the_loss_to_picture_and_bits() -> None:
    leaves = [
        torch.rand(1, 3, 4, 4, requires_grad=True),
        torch.ones(1, requires_grad=True),
        torch.ones(1, requires_grad=True),
    ]
    rate_distortion(ModelOutput(*leaves), torch.zeros(1, 3, 4, 4), torch.tensor([0.013])).loss.backward()
    assert all(leaf.grad.abs().min() > 0 for leaf in leaves)
    assert leaves[1].grad.item() == pytest.approx(1 / 16)


def test_tuned_for_ms_ssim_the_distortion_is_what_the_bench_measures() -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (2, 170, 180, 3), dtype=np.uint8)
    x_hat = (x // np.array([24, 96])[:, None, None, None] * np.array([24, 96])[:, None, None, None]).astype(np.uint8)
    first, second = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 for pixels in (x, x_hat))
    lmbda, bits = torch.tensor([8.7, 31.7]), torch.zeros(2)
    result = rate_distortion(ModelOutput(second, bits, bits), first, lmbda, tune="ms-ssim")
    expected = torch.tensor([1 - ms_ssim(a, b) for a, b in zip(x, x_hat, strict=True)])
    assert expected[1] > 5 * expected[0] > 0
    torch.testing.assert_close(result.cost, lmbda * expected, rtol=1e-3, atol=1e-5)


def test_tuned_for_the_eye_the_cost_is_as_it_is_written() -> None:
    x = torch.rand(2, 3, 256, 272)
    x_hat = (x + torch.tensor([0.02, 0.1])[:, None, None, None] * torch.randn_like(x)).clamp(0, 1)
    lmbda, bits = torch.tensor([0.004, 0.09]), torch.tensor([7e4, 3e4])
    result = rate_distortion(ModelOutput(x_hat, bits, bits), x, lmbda, 0.25, tune="eye")
    written = formula("eye").replace("SSIMULACRA2", "S")
    values = {"S": ssimulacra2(x, x_hat), "MSE": result.mse, "tint": tint(x, x_hat), "lmbda": lmbda, "bpp": result.bpp}
    torch.testing.assert_close(result.cost, eval(written, values))
    torch.testing.assert_close(result.loss, (result.cost / lmbda**0.25).mean())
    torch.testing.assert_close(result.bpp, 2 * bits / (256 * 272))
    assert formula("psnr") == "lmbda * 255**2 * MSE + bpp"


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_for_the_eye_gradients_are_finite_outside_the_range_too(shift: float) -> None:
    x_hat = (torch.rand(1, 3, 256, 256) + shift).requires_grad_()
    bits = torch.zeros(1)
    rate_distortion(ModelOutput(x_hat, bits, bits), x_hat.detach().clone(), torch.ones(1), tune="eye").loss.backward()
    assert x_hat.grad is not None
    assert x_hat.grad.isfinite().all()


def test_tint_is_what_colour_is_slow() -> None:
    grey = torch.full((1, 3, 64, 64), 0.5)
    green, texture = grey.clone(), grey.clone()
    green[:, 1] += 0.02
    texture[:, 1, ::2] += 0.02
    texture[:, 1, 1::2] -= 0.02
    expected = 0.02**2 * (0.331264**2 + 0.418688**2) / 2
    torch.testing.assert_close(tint(grey, torch.cat([green, grey + 0.1, texture])), torch.tensor([expected, 0, 0]))


@pytest.mark.parametrize(
    ("tune", "side", "message"),
    [
        ("ms-ssim", 128, "at least 161 pixels, not 128"),
        ("eye", 255, "at least 256 pixels, not 255"),
    ],
)
def test_pictures_too_small_are_refused(tune: str, side: int, message: str) -> None:
    x, bits = torch.zeros(1, 3, side, 300), torch.zeros(1)
    with pytest.raises(InputError, match=message):
        rate_distortion(ModelOutput(x, bits, bits), x, bits, tune=tune)
