from __future__ import annotations

import numpy as np
import pytest
import torch

from cwic.lab import passes
from cwic.latents import passes as latents


@pytest.fixture
def y() -> torch.Tensor:
    """`[2, 6, 4, 8]` of numbers that name their own place."""
    return torch.arange(2 * 6 * 4 * 8).view(2, 6, 4, 8)


def test_phases_are_the_parities_of_row_and_column(y: torch.Tensor) -> None:
    phases = passes.to_phases(y)
    assert phases.shape == (2, 3, 2, 4, 8)
    for phase in range(4):
        assert torch.equal(phases[:, :, :, phase], y[:, phase // 2 :: 2, phase % 2 :: 2])
    assert torch.equal(passes.from_phases(phases), y)


def test_joining_undoes_splitting(y: torch.Tensor) -> None:
    parts = passes.split_passes(y)
    assert [part.shape for part in parts] == [(2, 3, 2, 4, 2)] * 4
    assert torch.equal(passes.join_passes(parts), y)


def test_every_latent_is_visited_exactly_once(y: torch.Tensor) -> None:
    visited = torch.cat([part.flatten() for part in passes.split_passes(y)])
    assert torch.equal(visited.sort().values, y.flatten())


def test_a_pass_visits_group_phase_xor_step(y: torch.Tensor) -> None:
    for k, part in enumerate(passes.split_passes(y)):
        for phase in range(4):
            group = phase ^ (0, 3, 2, 1)[k]
            assert passes.groups(k)[phase] == group
            assert torch.equal(part[:, :, :, phase], y[:, phase // 2 :: 2, phase % 2 :: 2, group::4])


def test_each_pass_takes_all_groups_and_each_group_all_phases() -> None:
    assert all(sorted(passes.groups(k)) == [0, 1, 2, 3] for k in range(4))
    for group in range(4):
        assert sorted(passes.groups(k).index(group) for k in range(4)) == [0, 1, 2, 3]


def test_the_second_visit_of_a_group_is_diagonal_to_the_first() -> None:
    for group in range(4):
        assert passes.groups(0).index(group) ^ passes.groups(1).index(group) == 3


def test_channel_parts_lie_under_the_latents_of_their_channels(y: torch.Tensor) -> None:
    vector = torch.randn(2, 8)
    expected = passes.split_passes(vector[:, None, None].expand(2, 6, 4, 8))
    for part, there in zip(passes.channel_parts(vector), expected, strict=True):
        assert part.shape == (2, 1, 1, 4, 2)
        assert torch.equal(part.expand_as(there), there)


def test_the_codec_visits_in_the_same_order(y: torch.Tensor) -> None:
    for found, expected in zip(latents.split_passes(y[0].numpy()), passes.split_passes(y), strict=True):
        assert np.array_equal(found, expected[0])
    vector = torch.randn(2, 8)
    for found, expected in zip(latents.channel_parts(vector[0].numpy()), passes.channel_parts(vector), strict=True):
        assert np.array_equal(found, expected[0, 0, 0])
