from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from cwic.errors import InputError
from cwic.image.arrays import to_floats
from cwic.image.fidelity import MS_SSIM_MIN_SIDE, SSIMULACRA2_MIN_SIDE
from cwic.image.folder import read_picture
from cwic.lab.cwic import CwicModel
from cwic.lab.prior import lmbda_of
from cwic.training import validation
from cwic.training.loss import rate_distortion
from cwic.training.recipe import Recipe
from cwic.training.validation import usable_pictures, validate


@pytest.fixture
def model(recipe: Recipe, folder: Path) -> CwicModel:
    (folder / "broken.png").unlink()
    model = CwicModel(recipe.model).eval()
    grey = torch.from_numpy(to_floats(read_picture(folder / "grey.png")))
    model.calibrate([grey * torch.tensor([1.0, 0.8, 0.5])[:, None, None]])
    return model


def test_the_numbers_are_means_over_the_pictures(model: CwicModel, recipe: Recipe, folder: Path) -> None:
    for name in ("a.png", "small.png", "inner/b.png"):
        (folder / name).unlink()
    result = validate(model, recipe, folder)
    assert result.labels == ["q20", "q40", "q60", "q80"]
    x = torch.from_numpy(to_floats(read_picture(folder / "grey.png")))
    for i, level in enumerate((200, 400, 600, 800)):
        with torch.no_grad():
            output = model(x, torch.tensor([level]))
        expected = rate_distortion(output._replace(x_hat=output.x_hat.clamp(0, 1)), x, lmbda_of(torch.tensor([level])))
        # Networks run in half precision here.
        assert result.bpp[i] == pytest.approx(expected.bpp.item(), rel=0.05)
        assert result.psnr[i] == pytest.approx(-10 * expected.mse.log10().item(), abs=1.0)
    (folder / "again.png").write_bytes((folder / "grey.png").read_bytes())
    again = validate(model, recipe, folder)
    assert (again.bpp, again.psnr, again.cost) == tuple(pytest.approx(part) for part in result[1:])


def test_sizes_that_are_no_multiple_of_64_are_padded(model: CwicModel, recipe: Recipe, folder: Path) -> None:
    result = validate(model, recipe, folder)
    for values in (result.bpp, result.psnr, result.cost):
        assert len(values) == 4
        assert all(torch.tensor(values).isfinite())
    assert str(result).startswith("q20: ")
    assert "dB J" in str(result)


def test_every_picture_is_tried_before_it_is_needed(
    recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = usable_pictures(folder, recipe)
    assert [file.name for file in found.files] == ["a.png", "grey.png", "b.png", "small.png"]
    (line,) = found.skipped
    assert line.startswith(f"{folder / 'broken.png'}: ")
    for tune, least in (("ms-ssim", MS_SSIM_MIN_SIDE), ("eye", SSIMULACRA2_MIN_SIDE)):
        tuned = replace(recipe, crop=256, tune=tune)
        assert tuned.least_side == least
    Image.new("RGB", (161, 200)).save(folder / "large.png")
    found = usable_pictures(folder, replace(recipe, crop=192, tune="ms-ssim"))
    assert [file.name for file in found.files] == ["large.png"]
    assert f"{folder / 'a.png'}: ms-ssim needs at least 161 pixels a side" in found.skipped

    def fail(_: Path) -> None:
        raise RuntimeError("a reader gave up")

    monkeypatch.setattr(validation, "read_picture", fail)
    with pytest.raises(InputError, match="a reader gave up"):
        usable_pictures(folder, recipe)


def test_files_can_be_named_one_by_one(model: CwicModel, recipe: Recipe, folder: Path) -> None:
    assert validate(model, recipe, [folder / "inner" / "b.png"]) == validate(model, recipe, folder / "inner")
