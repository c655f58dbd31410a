from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from cwic.errors import InputError
from cwic.evaluation import metrics
from cwic.training.ssimulacra2 import _blur, blur_by_matrices, ssimulacra2

EXAMPLES = Path(__file__).parents[2] / "examples"
POINTS = 0.1
"""How far from the package a score may be."""
SIZES = ((256, 256), (257, 263), (290, 256))
"""Height and width: odd sides have a rest at each scale."""


def coded(form: str, quality: int) -> Callable[[Image.Image], Image.Image]:
    def distort(picture: Image.Image) -> Image.Image:
        file = BytesIO()
        picture.save(file, form, quality=quality)
        return Image.open(file).convert("RGB")

    return distort


def noisy(deviation: float) -> Callable[[Image.Image], Image.Image]:
    def distort(picture: Image.Image) -> Image.Image:
        pixels = np.asarray(picture, np.float64)
        return rounded(pixels + deviation * np.random.default_rng(0).standard_normal(pixels.shape))

    return distort


def posterised(step: int) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: rounded(np.asarray(picture) // step * float(step))


def tinted(*shift: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: rounded(np.asarray(picture) + np.array(shift))


def brighter(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def blurred(radius: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(radius))


def written_on(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    for i in range(12):
        ImageDraw.Draw(picture).text((9 * i, 21 * i), "What the eye sees", (255, 255, 20 * i))
    return picture


def moved(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.roll(np.asarray(picture), 1, axis=1))


def rounded(pixels: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


DISTORTIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{f"{form} {quality}": coded(form, quality) for form in ("JPEG", "WEBP", "AVIF") for quality in (5, 30, 60, 90)},
    **{f"blur {radius}": blurred(radius) for radius in (0.5, 1.5, 5)},
    **{f"noise {deviation}": noisy(deviation) for deviation in (2, 8, 40)},
    **{f"posterised {step}": posterised(step) for step in (4, 24, 96)},
    **{f"brightness {factor}": brighter(factor) for factor in (0.6, 0.95, 1.4)},
    "redder": tinted(12, 0, 0),
    "greener": tinted(-3, 3, -3),
    "bluer": tinted(0, -10, 25),
    "darker": tinted(-20, -20, -20),
    "text": written_on,
    "moved": moved,
}


def crops() -> Iterator[Image.Image]:
    """Parts of the examples, of several sizes, without end."""
    for i, (height, width) in enumerate(cycle(SIZES)):
        with Image.open(EXAMPLES / ("chelsea.png", "coffee.png")[i % 2]) as file:
            picture = file.convert("RGB")
        left, top = 37 * i % (picture.width - width), 23 * i % (picture.height - height)
        yield picture.crop((left, top, left + width, top + height))


def scores(picture: Image.Image, distorted: Image.Image) -> tuple[float, float]:
    """Ours and the package's."""
    ours = ssimulacra2(tensor(picture), tensor(distorted)).item()
    return ours, metrics.ssimulacra2(np.asarray(picture), np.asarray(distorted))


def tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize("name", DISTORTIONS)
def test_scores_are_those_of_the_package(name: str) -> None:
    shift = list(DISTORTIONS).index(name)
    pictures = [picture for i, picture in zip(range(2 * shift + 2), crops(), strict=False) if i >= 2 * shift]
    assert len(pictures) == 2
    for picture in pictures:
        ours, theirs = scores(picture, DISTORTIONS[name](picture))
        assert ours == pytest.approx(theirs, abs=POINTS)
        assert theirs < 99


@pytest.mark.skipif("CWIC_DATA" not in os.environ, reason="needs Kodak")
def test_scores_of_kodak_are_those_of_the_package() -> None:
    files = sorted((Path(os.environ["CWIC_DATA"]) / "kodak").glob("*.png"))[::4]
    for file, distort in zip(files, cycle(DISTORTIONS.values()), strict=False):
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
        ours, theirs = scores(picture, distort(picture))
        assert ours == pytest.approx(theirs, abs=POINTS)


def test_pictures_of_a_batch_are_compared_one_by_one() -> None:
    x, x_hat = torch.rand(3, 3, 256, 260), torch.rand(3, 3, 256, 260)
    x_hat[1] = x[1]
    together = ssimulacra2(x, x_hat)
    alone = torch.cat([ssimulacra2(one, other) for one, other in zip(x.split(1), x_hat.split(1), strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)
    assert together[1] == 100
    assert together[0] < 0


@pytest.mark.parametrize(
    ("x", "x_hat"),
    [
        (torch.full((1, 3, 256, 256), 0.5), torch.full((1, 3, 256, 256), 0.5)),
        (torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256)),
        (torch.zeros(1, 3, 256, 256), torch.ones(1, 3, 256, 256)),
        (torch.rand(1, 3, 256, 256), torch.full((1, 3, 256, 256), 0.5)),
        (torch.rand(1, 3, 256, 256), torch.rand(1, 3, 256, 256) * 9 - 4),
    ],
    ids=["equal", "black", "black and white", "constant", "outside"],
)
def test_gradients_are_finite(x: torch.Tensor, x_hat: torch.Tensor) -> None:
    x_hat = x_hat.clone().requires_grad_()
    score = ssimulacra2(x, x_hat)
    score.sum().backward()
    assert score.isfinite().all()
    assert x_hat.grad is not None
    assert x_hat.grad.isfinite().all()
    torch.testing.assert_close(score, ssimulacra2(x, x_hat.clamp(0, 1)), rtol=1e-4, atol=1e-3)


def test_values_outside_are_drawn_on() -> None:
    x = torch.full((1, 3, 256, 256), 0.6)
    x[..., ::2] = 0.8
    x_hat = torch.full((1, 3, 256, 256), 1.2, requires_grad=True)
    ssimulacra2(x, x_hat).sum().backward()
    assert x_hat.grad is not None
    assert (x_hat.grad[..., 20:-20:2, 20:-20] != 0).any()


def test_the_gradient_leads_uphill() -> None:
    torch.manual_seed(0)
    with Image.open(EXAMPLES / "coffee.png") as file:
        x = tensor(file.convert("RGB").crop((0, 0, 256, 256)))
    x_hat = (x + 0.05 * torch.randn_like(x)).requires_grad_()
    before = ssimulacra2(x, x_hat)
    before.sum().backward()
    assert x_hat.grad is not None
    step = x_hat.grad * 0.002 / x_hat.grad.square().mean().sqrt()
    assert ssimulacra2(x, x_hat + step) > before + 1


@pytest.mark.parametrize("size", [(64, 48), (8, 7)])
def test_products_with_matrices_blur_as_convolutions_do(size: tuple[int, int]) -> None:
    t = torch.rand(2, 9, *size)
    torch.testing.assert_close(blur_by_matrices(t), _blur(t), atol=1e-6, rtol=0)


def test_small_pictures_are_refused() -> None:
    with pytest.raises(InputError, match="at least 256 pixels, not 255"):
        ssimulacra2(torch.zeros(1, 3, 300, 255), torch.zeros(1, 3, 300, 255))
