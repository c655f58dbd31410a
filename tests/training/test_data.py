from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cwic.errors import InputError
from cwic.training.data import PictureFolder, open_pictures


def test_grey_is_colour_broken_is_listed_and_small_is_counted(folder: Path) -> None:
    pictures = PictureFolder(folder, 64)
    assert [p.shape for p in pictures.pictures] == [(80, 100, 3), (64, 64, 3), (120, 70, 3)]
    assert (pictures.pictures[1] == pictures.pictures[1][..., :1]).all()
    assert len(pictures.skipped) == 1
    assert "broken.png: " in pictures.skipped[0]
    assert pictures.too_small == 1


def test_processes_share_the_files(folder: Path) -> None:
    shapes = [p.shape for rank in range(2) for p in PictureFolder(folder, 60, rank, 2).pictures]
    assert sorted(shapes) == [(64, 64, 3), (80, 100, 3), (120, 70, 3), (200, 63, 3)]


def test_crops_are_parts_of_the_pictures_in_unit_range(folder: Path) -> None:
    pictures = PictureFolder(folder, 64)
    crops = pictures.crops(20, 64, np.random.default_rng(0))
    assert crops.shape == (20, 3, 64, 64)
    assert crops.dtype == torch.float32
    assert 0 <= crops.min() < 0.1
    assert 0.9 < crops.max() <= 1
    pixels = {tuple(p) for picture in pictures.pictures for p in picture.reshape(-1, 3).tolist()}
    seen = (crops.permute(0, 2, 3, 1).reshape(-1, 3) * 255).round().int().tolist()
    assert {tuple(p) for p in seen} <= pixels


def test_crops_follow_the_seed(folder: Path) -> None:
    pictures = PictureFolder(folder, 64)
    first, again, other = (pictures.crops(4, 64, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_crops_come_flipped_transposed_and_from_large_pictures_more_often(tmp_path: Path) -> None:
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0] = np.arange(64)  # brighter to the right
    Image.fromarray(ramp).save(tmp_path / "a.png")
    Image.new("RGB", (64, 192)).save(tmp_path / "b.png")
    crops = PictureFolder(tmp_path, 64).crops(400, 64, np.random.default_rng(1))[:, 0]
    ways = [torch.sign(torch.stack([c[0, -1] - c[0, 0], c[-1, 0] - c[0, 0]])).tolist() for c in crops]
    counts = {way: ways.count(list(way)) for way in ((1, 0), (-1, 0), (0, 1), (0, -1), (0, 0))}
    assert sum(counts.values()) == 400
    assert 270 < counts[0, 0] < 330
    assert all(counts[way] > 10 for way in counts)


def test_a_folder_without_a_usable_picture_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="at least 1000 pixels"):
        PictureFolder(folder, 1000)


def test_crops_can_come_from_larger_squares_scaled_down(tmp_path: Path) -> None:
    ramp = np.zeros((256, 256, 3), np.uint8)
    ramp[...] = np.arange(256)[:, None]
    Image.fromarray(ramp).save(tmp_path / "a.png")
    pictures = PictureFolder(tmp_path, 64)
    crops = pictures.crops(200, 64, np.random.default_rng(0), downscale=8.0)
    assert crops.shape == (200, 3, 64, 64)
    heights = 255 * (crops.amax(dim=(1, 2, 3)) - crops.amin(dim=(1, 2, 3)))
    assert heights.min() < 80
    assert heights.max() > 240  # as far as the picture goes
    assert 0 <= crops.min() <= crops.max() <= 1
    plain = pictures.crops(3, 64, np.random.default_rng(0))
    assert torch.equal(plain, pictures.crops(3, 64, np.random.default_rng(0), downscale=1.0))


def test_a_folder_is_opened_as_what_it_holds(folder: Path) -> None:
    assert isinstance(open_pictures(folder, 64, 0, 1, "cpu"), PictureFolder)
