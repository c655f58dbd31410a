from __future__ import annotations

import numpy as np
import pytest

from cwic.errors import ModelError
from cwic.latents.serial import SerialPrior, Wave, entropy_parameter_widths, waves
from cwic.latents.wide import FRACTION_BITS

Tensors = dict[str, np.ndarray]

N = 8
UNIT = 1 << FRACTION_BITS


def serial_tensors(context: bool = True, seed: int = 5) -> Tensors:
    """Random networks whose scales and means are of the size of trained ones."""
    random = np.random.default_rng(seed)
    wide = 3 * N // 2
    shapes = {
        "h_s.0": (N, 9, N),
        "h_s.1": (4 * N, 9, N),
        "h_s.2": (wide, 9, N),
        "h_s.3": (4 * wide, 9, wide),
        "h_s.4": (2 * N, 9, wide),
    }
    if context:
        shapes["context"] = (2 * N, 12, N)
        widths = entropy_parameter_widths(N)
        shapes |= {f"entropy_parameters.{i}": (widths[i + 1], 1, widths[i]) for i in range(3)}
    tensors: Tensors = {}
    for name, shape in shapes.items():
        tensors[f"{name}.weight"] = random.integers(-32767, 32768, shape).astype(np.int16)
        shift = 15 + round(np.log2((shape[1] * shape[2]) ** 0.5))
        tensors[f"{name}.shift"] = np.full(shape[0], shift, np.int16)
        tensors[f"{name}.bias"] = random.integers(-UNIT, UNIT, shape[0]).astype(np.int32)
    tensors["medians"] = random.integers(-UNIT // 2, UNIT // 2, N).astype(np.int32)
    tensors["z_index"] = np.full(N, 30, np.uint8)
    tensors["scale_bounds"] = np.arange(63, dtype=np.int32) * 200
    return tensors


@pytest.fixture(params=[True, False])
def prior(request: pytest.FixtureRequest) -> SerialPrior:
    return SerialPrior(N, request.param, serial_tensors(request.param))


def test_a_traversal_visits_every_position_once(prior: SerialPrior) -> None:
    drawn = np.random.default_rng(0).integers(-5, 6, (96, N)).astype(np.int32)
    seen: list[int] = []
    means = np.empty((96, N))

    def code(wave: Wave) -> np.ndarray:
        seen.extend(wave.positions.tolist())
        means[wave.positions] = wave.means_hat
        assert wave.indexes.dtype == np.uint8
        assert wave.indexes.min() >= 1
        return drawn[wave.positions]

    y_hat = prior.traverse(np.random.default_rng(1).integers(-4, 5, (2, 3, N)).astype(np.int32), code)
    assert sorted(seen) == list(range(96))
    assert (y_hat.shape, y_hat.dtype) == ((8, 12, N), np.int64)
    np.testing.assert_array_equal(y_hat.reshape(96, N), drawn * UNIT + means)


def test_a_position_does_not_know_what_comes_after_it() -> None:
    prior = SerialPrior(N, True, serial_tensors())
    z = np.zeros((1, 2, N), np.int32)
    first = np.random.default_rng(2).integers(-5, 6, (32, N)).astype(np.int32)
    second = first.copy()
    second[12] += 3
    a, b = (prior.traverse(z, lambda wave, drawn=drawn: drawn[wave.positions]) for drawn in (first, second))
    changed = np.flatnonzero((a != b).any(axis=-1)).tolist()
    assert min(changed) == 12
    assert {13, 14, 18, 19, 20, 21, 22} <= set(changed)


def test_symbols_beyond_all_numbers_stay_exact(prior: SerialPrior) -> None:
    z = np.full((1, 1, N), 32767, np.int32)
    y_hat = prior.traverse(z, lambda wave: np.full((len(wave.positions), N), -32768, np.int32))
    assert (np.abs(y_hat + 32768 * UNIT) < 1 << 23).all()


def test_how_far_beyond_all_numbers_makes_no_difference(prior: SerialPrior) -> None:
    found = []
    for magnitude in (3000, 32767):  # numbers end at 2048
        z, far = np.full((1, 1, N), magnitude, np.int32), np.full(N, magnitude, np.int32)
        said: list[np.ndarray] = []

        def code(wave: Wave, far: np.ndarray = far, said: list[np.ndarray] = said) -> np.ndarray:
            said.append(np.concatenate([wave.indexes, wave.means_hat]))
            return np.where(wave.positions[:, None] == 0, far, 0).astype(np.int32)

        prior.traverse(z, code)
        found.append(np.concatenate(said))
    np.testing.assert_array_equal(*found)


def test_a_scale_at_a_bound_belongs_below_it() -> None:
    tensors = serial_tensors(context=False)
    tensors["h_s.4.weight"][:] = 0
    tensors["h_s.4.bias"][:N] = [-1, 0, 1, 199, 200, 201, 12400, 12401]
    waves_seen: list[Wave] = []

    def code(wave: Wave) -> np.ndarray:
        waves_seen.append(wave)
        return np.zeros(wave.means_hat.shape, np.int32)

    SerialPrior(N, False, tensors).traverse(np.zeros((1, 1, N), np.int32), code)
    (wave,) = waves_seen
    assert (wave.indexes == [1, 1, 1, 1, 1, 2, 62, 63]).all()


def test_tensors_that_do_not_fit_are_refused() -> None:
    tensors = serial_tensors()
    for name in tensors:
        with pytest.raises(ModelError, match=name):
            SerialPrior(N, True, tensors | {name: tensors[name][:-1]})


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (7, 1), (4, 4), (8, 5), (3, 20)])
def test_a_wave_is_ready_when_those_before_it_are_known(height: int, width: int) -> None:
    found = waves(height, width)
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
