from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cwic.nn import windows

CPU = torch.device("cpu")


def coordinates(height: int, width: int, scale: int = 1) -> Tensor:
    """`[1, 2, H, W]`: the row and the column of the centre of each position, in fine positions."""
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return scale * torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]


@pytest.mark.parametrize("window", [4, 8])
def test_merging_undoes_cutting(window: int) -> None:
    x = torch.randn(2, 3, 2 * window, 3 * window)
    tokens = windows.fine_windows(x, window)
    assert tokens.shape == (12, window * window, 3)
    assert torch.equal(windows.merge_windows(tokens, window, 2 * window, 3 * window), x)


def test_fine_windows_are_in_raster_order_batch_first() -> None:
    tokens = windows.fine_windows(torch.cat([coordinates(8, 12), -coordinates(8, 12)]), 4)
    starts = [(0, 0), (0, 4), (0, 8), (4, 0), (4, 4), (4, 8)]
    assert [tuple(t.tolist()) for t in tokens[:6, 0] - 0.5] == starts
    assert torch.equal(tokens[1, 5], torch.tensor([1.5, 5.5]))  # the second row's second token
    assert torch.equal(tokens[6:], -tokens[:6])


@pytest.mark.parametrize("window", [4, 8])
def test_coarse_windows_are_centred_on_the_fine_ones_and_twice_as_wide(window: int) -> None:
    h, w = 4 * window, 5 * window
    half = windows.halve(coordinates(h, w))
    assert torch.equal(half, coordinates(h // 2, w // 2, 2))
    fine, coarse = windows.fine_windows(coordinates(h, w), window), windows.coarse_windows(half, window)
    assert coarse.shape == fine.shape
    inner = [row * 5 + column for row in (1, 2) for column in (1, 2, 3)]
    torch.testing.assert_close(coarse[inner].mean(dim=1), fine[inner].mean(dim=1))
    spread = coarse[inner].amax(dim=1) - coarse[inner].amin(dim=1)
    assert torch.equal(spread, torch.full_like(spread, 2 * (window - 1)))
    # At the border the map is mirrored about the centre of its outermost coarse row.
    rows = coarse[0].view(window, window, 2)[:, 0, 0]
    assert rows[: window // 4 + 1].tolist() == [2 * abs(i) + 1 for i in range(-(window // 4), 1)]


def test_visible_keys_of_a_shifted_map_are_those_of_the_published_network() -> None:
    fine, cross = windows.attention_masks(32, 32, (32, 32), 8, 4, CPU)
    assert fine.shape == cross.shape == (16, 64, 64)
    assert set(fine.unique().tolist()) == set(cross.unique().tolist()) == {windows.MASKED, 0.0}
    own, around = ((mask == 0).sum(dim=-1).float().mean(dim=-1).view(4, 4) for mask in (fine, cross))
    assert own.tolist() == [[64, 64, 64, 32]] * 3 + [[32, 32, 32, 16]]
    assert around.tolist() == [[64, 64, 48, 24]] * 2 + [[48, 48, 36, 18], [24, 24, 18, 9]]


def test_without_a_shift_nothing_is_masked() -> None:
    fine, cross = windows.attention_masks(32, 24, (32, 24), 8, 0, CPU)
    assert not fine.any()
    assert not cross.any()


@pytest.mark.parametrize("valid", [(4, 4), (12, 20), (14, 18)])
def test_no_real_query_sees_padding(valid: tuple[int, int]) -> None:
    height, width = (-(-side // 8) * 8 for side in valid)
    real = torch.zeros(1, 1, height, width)
    real[:, :, : valid[0], : valid[1]] = 1
    real = real.roll((-4, -4), dims=(2, 3))
    query = windows.fine_windows(real, 8)[..., 0] == 1
    keys = (query, windows.coarse_windows(windows.halve(real), 8)[..., 0] == 1)
    for mask, key in zip(windows.attention_masks(height, width, valid, 8, 4, CPU), keys, strict=True):
        seen = mask == 0
        assert not (seen & query[:, :, None] & ~key[:, None, :]).any()
        assert (seen & query[:, :, None]).any(dim=-1)[query].all()  # and each sees something


def test_relative_positions_count_from_the_corner_of_the_table() -> None:
    index = windows.relative_position_index(4, CPU)
    assert index.shape == (16, 16)
    assert index.diagonal().unique().tolist() == [3 * 7 + 3]
    assert index[0, 15] == 0
    assert index[15, 0] == 48
    assert index[4, 1] == (1 + 3) * 7 + (-1 + 3)


def test_the_index_is_real_even_if_first_asked_for_on_the_meta_device() -> None:
    windows.relative_position_index.cache_clear()
    with torch.device("meta"):
        index = windows.relative_position_index(4, CPU)
    assert index.device.type == "cpu"
    assert windows.relative_position_index(4, torch.device("meta")).device.type == "meta"


def test_what_was_made_is_kept_until_it_is_forgotten() -> None:
    arguments = (16, 16, (16, 16), 8, 4, CPU)
    masks, index = windows.attention_masks(*arguments), windows.relative_position_index(4, CPU)
    assert windows.attention_masks(*arguments) is masks
    assert windows.relative_position_index(4, CPU) is index
    windows.forget()
    assert windows.attention_masks(*arguments) is not masks
    assert windows.relative_position_index(4, CPU) is not index
