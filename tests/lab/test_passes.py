from __future__ import annotations

import pytest
import torch

from cwic.latents import order


@pytest.fixture
def y() -> torch.Tensor:
    """`[2, 6, 4, 8]` of numbers that name their own place."""
    return torch.arange(2 * 6 * 4 * 8).view(2, 6, 4, 8)


def test_phases_are_the_parities_of_row_and_column(y: torch.Tensor) -> None:
    phases = order.to_phases(y)
    assert phases.shape == (2, 3, 2, 4, 8)
    for phase in range(4):
        assert torch.equal(phases[:, :, :, phase], y[:, phase // 2 :: 2, phase % 2 :: 2])
    assert torch.equal(order.from_phases(phases), y)


def test_joining_undoes_splitting(y: torch.Tensor) -> None:
    parts = order.split_passes(y)
    assert [part.shape for part in parts] == [(2, 3, 2, 4, 2)] * 4
    assert torch.equal(order.join_passes(parts), y)


def test_every_latent_is_visited_exactly_once(y: torch.Tensor) -> None:
    visited = torch.cat([part.flatten() for part in order.split_passes(y)])
    assert torch.equal(visited.sort().values, y.flatten())


def test_a_pass_visits_group_phase_xor_step(y: torch.Tensor) -> None:
    for k, part in enumerate(order.split_passes(y)):
        for phase in range(4):
            group = phase ^ (0, 3, 2, 1)[k]
            assert order.groups(k)[phase] == group
            assert torch.equal(part[:, :, :, phase], y[:, phase // 2 :: 2, phase % 2 :: 2, group::4])


def test_each_pass_takes_all_groups_and_each_group_all_phases() -> None:
    assert all(sorted(order.groups(k)) == [0, 1, 2, 3] for k in range(4))
    for group in range(4):
        assert sorted(order.groups(k).index(group) for k in range(4)) == [0, 1, 2, 3]


def test_the_second_visit_of_a_group_is_diagonal_to_the_first() -> None:
    for group in range(4):
        assert order.groups(0).index(group) ^ order.groups(1).index(group) == 3


def test_channel_parts_lie_under_the_latents_of_their_channels(y: torch.Tensor) -> None:
    vector = torch.randn(2, 8)
    expected = order.split_passes(vector[:, None, None].expand(2, 6, 4, 8))
    for part, there in zip(order.channel_parts(vector), expected, strict=True):
        assert part.shape == (2, 1, 1, 4, 2)
        assert torch.equal(part.expand_as(there), there)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (7, 1), (4, 4), (8, 5), (3, 20)])
def test_a_wave_is_ready_when_those_before_it_are_known(height: int, width: int) -> None:
    found = order.waves(height, width)
    assert len(found) <= width + 3 * (height - 1)
    when = {}
    for time, wave in enumerate(found):
        assert wave.tolist() == sorted(wave.tolist())
        when |= {divmod(position, width): time for position in wave.tolist()}
    assert len(when) == sum(map(len, found)) == height * width
    for (row, column), time in when.items():
        before = [(row - up, column + side) for up in (1, 2) for side in range(-2, 3)]
        before += [(row, column - 1), (row, column - 2)]
        assert all(when[seen] < time for seen in before if seen in when)
