from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import cwic
from cwic.errors import InputError
from cwic.image.fidelity import psnr
from cwic.image.ms_ssim import ms_ssim
from cwic.image.ssimulacra2 import ssimulacra2
from cwic.latents.levels import lmbda_of
from cwic.models.eye import eye_cost

COFFEE = Path(__file__).parents[1] / "examples" / "coffee.png"


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    with Image.open(COFFEE) as image:
        return image.convert("RGB")


def test_targets_for_the_eye(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 256, 256))
    x = np.asarray(image)
    for name, measure, goal, near in (
        ("target_ms_ssim", ms_ssim, 0.97, 0.001),
        ("target_ssimulacra2", ssimulacra2, 60, 0.7),
    ):
        reached = np.asarray(cwic.decode(cwic.encode(image, **{name: goal})))  # type: ignore[arg-type]
        assert goal <= measure(x, reached) < goal + near
    grey = image.convert("L")
    assert grey.size == cwic.decode(cwic.encode(grey, target_ssimulacra2=60)).size
    with pytest.raises(InputError, match="too small for this target"):
        cwic.encode(image.crop((0, 0, 64, 64)), target_ssimulacra2=60)


def test_effort_is_fewer_bits_for_the_same_error(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 320, 192))
    costs = []
    for effort, tile in ((5, None), (6, None), (7, None), (5, 128), (7, 128)):
        data = cwic.encode(image, quality=60, effort=effort, tile=tile, tune="psnr")
        error = 10 ** (-psnr(np.asarray(image), np.asarray(cwic.decode(data))) / 10)
        costs.append(8 * len(data) / (320 * 192) + lmbda_of(600) * 255**2 * error)
    assert costs[2] < costs[1] < costs[0]
    assert costs[2] < 0.985 * costs[0]
    assert costs[4] < 0.995 * costs[3]


def test_effort_for_the_eye_costs_less_by_the_measure_of_the_eye(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 384, 320))

    def floats(picture: Image.Image) -> NDArray[np.float32]:
        return (np.asarray(picture, np.float32) / np.float32(255)).transpose(2, 0, 1)

    costs = []
    for effort in (5, 6, 7):
        data = cwic.encode(image, quality=60, effort=effort, tune="eye")
        costs.append(8 * len(data) + eye_cost(floats(image), floats(cwic.decode(data)), lmbda_of(600))[0])
    assert costs[2] < costs[1] < costs[0]
    assert costs[2] < 0.99 * costs[0]
    small = image.crop((0, 0, 320, 200))
    assert cwic.encode(small, effort=9) == cwic.encode(small)  # SSIMULACRA 2 is for larger pictures


def test_no_such_effort(photograph: Image.Image) -> None:
    for effort in (0, 10):
        with pytest.raises(ValueError, match="effort must be from 1 to 9"):
            cwic.encode(photograph, effort=effort)
    for wrong in (2.5, "7", None, True):
        with pytest.raises(TypeError, match="effort must be a whole number"):
            cwic.encode(photograph, effort=wrong)  # type: ignore[arg-type]


def test_models_that_are_tuned_to_ms_ssim_are_not_refined(photograph: Image.Image) -> None:
    with pytest.raises(ValueError, match="and cannot for cwic-s-ms-ssim"):
        cwic.encode(photograph, effort=6, tune="ms-ssim")
    cwic.encode(photograph.crop((0, 0, 64, 64)), effort=1, tune="ms-ssim")
