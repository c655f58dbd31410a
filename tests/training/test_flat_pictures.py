from __future__ import annotations

import torch

from cwic.training.flat_pictures import FlatPictures


def numbered() -> list[torch.Tensor]:
    """A tall and a wide picture whose red is the row, green the column, and blue the picture."""
    pictures = []
    for number, (height, width) in enumerate([(40, 20), (16, 100)]):
        picture = torch.full((height, width, 3), number, dtype=torch.uint8)
        picture[..., 0] = torch.arange(height)[:, None]
        picture[..., 1] = torch.arange(width)
        pictures.append(picture)
    return pictures


def test_every_crop_is_a_square_of_a_picture_seen_in_one_of_eight_ways() -> None:
    pictures = numbered()
    crops = FlatPictures(pictures, "cpu").crops(500, 16)
    assert crops.shape == (500, 3, 16, 16)
    assert crops.is_contiguous(memory_format=torch.channels_last)
    ways, corners = set(), set()
    for crop in (crops * 255).round().byte().permute(0, 2, 3, 1):
        (top, left, number), (bottom, right, _) = crop.flatten(0, 1).amin(dim=0).tolist(), crop.flatten(0, 1).amax(0)
        square = pictures[number][top : top + 16, left : left + 16]
        assert (bottom - top, right - left) == (15, 15)
        views = [turned.flip(dims) for turned in (square, square.transpose(0, 1)) for dims in ([], [0], [1], [0, 1])]
        way = [torch.equal(crop, view) for view in views]
        assert sum(way) == 1
        ways.add(way.index(True))
        corners.add((number, top, left))
    assert len(ways) == 8
    assert {top for number, top, _ in corners if number == 0} == set(range(25))
    assert max(left for number, _, left in corners if number == 1) > 80


def test_large_pictures_give_more_crops() -> None:
    crops = FlatPictures(numbered(), "cpu").crops(3000, 16)
    wide = (crops[:, 2] > 0).flatten(1).any(dim=1).float().mean()
    assert abs(wide - 1600 / 2400) < 0.03


def test_crops_follow_the_generator_of_the_device() -> None:
    pictures = FlatPictures(numbered(), "cpu")
    first, again = [(torch.manual_seed(seed), pictures.crops(4, 16))[1] for seed in (1, 1)]
    assert torch.equal(first, again)
    assert not torch.equal(first, pictures.crops(4, 16))


def test_the_pictures_are_views_of_the_one_tensor() -> None:
    flat = FlatPictures(numbered(), "cpu")
    assert all(torch.equal(here, there) for here, there in zip(flat.pictures, numbered(), strict=True))
    assert len({picture.untyped_storage().data_ptr() for picture in flat.pictures}) == 1
