from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.latents import passes


@pytest.fixture
def y() -> NDArray[np.int64]:
    """`[6, 4, 8]` of numbers that name their own place."""
    return np.arange(6 * 4 * 8).reshape(6, 4, 8)


def test_phases_are_the_parities_of_row_and_column(y: NDArray[np.int64]) -> None:
    phases = passes.to_phases(y)
    assert phases.shape == (3, 2, 4, 8)
    for phase in range(4):
        np.testing.assert_array_equal(phases[:, :, phase], y[phase // 2 :: 2, phase % 2 :: 2])
    np.testing.assert_array_equal(passes.from_phases(phases), y)


def test_joining_undoes_splitting(y: NDArray[np.int64]) -> None:
    parts = passes.split_passes(y)
    assert [part.shape for part in parts] == [(3, 2, 4, 2)] * 4
    np.testing.assert_array_equal(passes.join_passes(parts), y)


def test_every_latent_is_visited_exactly_once(y: NDArray[np.int64]) -> None:
    visited = np.concatenate([part.reshape(-1) for part in passes.split_passes(y)])
    np.testing.assert_array_equal(np.sort(visited), y.reshape(-1))


def test_a_pass_visits_group_phase_xor_step(y: NDArray[np.int64]) -> None:
    for k, part in enumerate(passes.split_passes(y)):
        for phase in range(4):
            group = phase ^ (0, 3, 2, 1)[k]
            assert passes.groups(k)[phase] == group
            np.testing.assert_array_equal(part[:, :, phase], y[phase // 2 :: 2, phase % 2 :: 2, group::4])


def test_each_pass_takes_all_groups_and_each_group_all_phases() -> None:
    assert all(sorted(passes.groups(k)) == [0, 1, 2, 3] for k in range(4))
    for group in range(4):
        assert sorted(passes.groups(k).index(group) for k in range(4)) == [0, 1, 2, 3]


def test_the_second_visit_of_a_group_is_diagonal_to_the_first() -> None:
    for group in range(4):
        assert passes.groups(0).index(group) ^ passes.groups(1).index(group) == 3


def test_channel_parts_lie_under_the_latents_of_their_channels() -> None:
    vector = np.random.default_rng(0).integers(0, 100, 8)
    expected = passes.split_passes(np.broadcast_to(vector, (6, 4, 8)))
    for part, there in zip(passes.channel_parts(vector), expected, strict=True):
        assert part.shape == (4, 2)
        np.testing.assert_array_equal(np.broadcast_to(part, there.shape), there)
