from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic import libraries
from cwic.libraries import LIBRARY_VARIABLE, usable
from cwic.networks import native_layers
from cwic.networks.native_layers import GROUP, Block, Convolution, Depthwise, Linear, quantised
from cwic.threads import THREADS_VARIABLE

pytestmark = pytest.mark.skipif(not usable(), reason="no C compiler was found when cwic was installed")

Floats = NDArray[np.float32]
Reference = NDArray[np.float64]
SIDES = [(1, 1), (1, 9), (7, 1), (5, 33), (3, 64), (40, 70)]
PRECISION = 2e-3
"""Largest error of a layer beside the root mean square of what is expected: its inputs have 14 bits."""


@pytest.fixture(params=usable())
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    monkeypatch.setenv(LIBRARY_VARIABLE, request.param)
    found = libraries.library()
    assert found is not None
    return found


@pytest.fixture(params=["1", "3"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many threads, each with bands of its own, however little the work."""
    monkeypatch.setenv(THREADS_VARIABLE, request.param)
    monkeypatch.setattr(native_layers, "LEAST_WORK", 1)


def normal(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed + len(shape)).standard_normal(shape).astype(np.float32)


def by_linear(x: Floats, weight: Floats, bias: Floats) -> Reference:
    return x.astype(np.float64) @ weight[:, :, 0, 0].astype(np.float64).T + bias


def by_taps(x: Floats, weight: Floats, bias: Floats, add: Callable[[Reference, Floats], Reference]) -> Reference:
    h, w, _ = x.shape
    padded = np.pad(x.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    return sum(add(padded[r : r + h, c : c + w], weight[:, :, r, c]) for r in range(3) for c in range(3)) + bias


def by_block(
    x: Floats, weights: list[Floats], biases: list[Floats], slope: float, spatial: Floats, channel: Floats
) -> Reference:
    expanded = by_linear(x, weights[0], biases[0])
    bent = np.maximum(expanded, slope * expanded).astype(np.float32)
    mixed = by_taps(bent, weights[4], biases[4], lambda part, tap: part * tap[:, 0])
    total = x + by_linear((mixed * spatial).astype(np.float32), weights[1], biases[1])
    a, b = np.split(by_linear(total.astype(np.float32), weights[2], biases[2]), 2, axis=2)
    return total + by_linear((a / (1 + np.exp(-b)) * channel).astype(np.float32), weights[3], biases[3])


def assert_near(found: Floats, expected: Reference, layers: int = 1) -> None:
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= layers * PRECISION * np.sqrt(np.square(expected).mean())


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("h", "w"), SIDES)
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 8), (192, 40), (2, 3), (320, 768)])
def test_a_linear_map(library: ctypes.CDLL, h: int, w: int, inputs: int, outputs: int) -> None:
    x, weight, bias = normal(h, w, inputs), normal(outputs, inputs, 1, 1), normal(outputs)
    assert_near(Linear(library, weight, bias)(x), by_linear(x, weight, bias))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("h", "w"), SIDES)
@pytest.mark.parametrize(("channels", "outputs"), [((16,), 16), ((192, 16, 2), 16), ((80,), 192)])
def test_a_convolution(library: ctypes.CDLL, h: int, w: int, channels: tuple[int, ...], outputs: int) -> None:
    maps = [normal(h, w, each, seed=each) * 10.0**-number for number, each in enumerate(channels)]
    weight, bias = normal(outputs, sum(channels), 3, 3), normal(outputs)
    found = Convolution(library, weight, bias, channels)(*(quantised(library, x.astype(np.float32)) for x in maps))
    x = np.concatenate(maps, axis=2).astype(np.float32)
    assert_near(found, by_taps(x, weight, bias, lambda part, tap: part @ tap.T.astype(np.float64)))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("h", "w"), SIDES)
def test_a_depthwise_convolution(library: ctypes.CDLL, h: int, w: int) -> None:
    x, weight, bias = normal(h, w, 48), normal(48, 1, 3, 3), normal(48)
    expected = by_taps(x, weight, bias, lambda part, tap: part * tap[:, 0])
    np.testing.assert_allclose(Depthwise(library, weight, bias)(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("h", "w"), SIDES)
def test_a_block(library: ctypes.CDLL, h: int, w: int) -> None:
    shapes = [(32, 32, 1, 1), (32, 32, 1, 1), (64, 32, 1, 1), (32, 32, 1, 1), (32, 1, 3, 3)]
    weights = [normal(*shape, seed=seed) / np.float32(shape[1] ** 0.5) for seed, shape in enumerate(shapes)]
    biases = [normal(len(weight), seed=7) for weight in weights]
    x, spatial, channel = normal(h, w, 32, seed=1), np.exp(normal(1, 1, 32)), np.exp(normal(1, 1, 32, seed=5))
    given = x.copy()
    found = Block(library, weights, biases, 0.1)(x, spatial, channel)
    assert_near(found, by_block(x, weights, biases, 0.1, spatial, channel), layers=4)
    np.testing.assert_array_equal(x, given)


def test_gates_end_in_zero_and_one(library: ctypes.CDLL) -> None:
    """The sigmoid at its ends, where powers of two leave the range of floats."""
    size = 16
    none, one = np.zeros((size, size, 1, 1), np.float32), np.eye(size, dtype=np.float32)[:, :, None, None]
    weights = [none, none, np.concatenate([none, none]), one, np.zeros((size, 1, 3, 3), np.float32)]
    bias, gates = (
        np.zeros(size, np.float32),
        np.array([-1e30, -500, -90, -80, -5, 0, 5, 80, 90, 500, 1e30, 1, 2, 3, 4, 8]),
    )
    biases = [bias, bias, np.concatenate([bias + 1, gates]).astype(np.float32), bias, bias]
    ones = np.ones((1, 1, size), np.float32)
    found = Block(library, weights, biases, 0.1)(np.zeros((1, 1, size), np.float32), ones, ones)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found[0, 0], 1 / (1 + np.exp(-gates)), rtol=0, atol=2e-4)


@pytest.mark.parametrize("inputs", [2, 192, 4096])
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_sums_cannot_overflow(library: ctypes.CDLL, inputs: int, size: float) -> None:
    """The largest inputs, all of the sign of their weights, and of the other one."""
    signs = np.sign(normal(inputs)).astype(np.float32)
    x = np.stack([signs, -signs])[None] * np.float32(size)
    weight = np.stack([signs, -signs])[:, :, None, None]
    found = Linear(library, weight, np.zeros(2, np.float32))(x)
    np.testing.assert_allclose(found[0], inputs * size * np.array([[1, -1], [-1, 1]]), rtol=1e-3)


@pytest.mark.parametrize("weight", [np.nan, np.inf, 0.0, 1e35])
def test_rows_of_weights_that_are_no_numbers_are_zero(library: ctypes.CDLL, weight: float) -> None:
    weights = normal(3, 16, 1, 1)
    weights[1, 5] = weight
    x = normal(2, 9, 16)
    found = Linear(library, weights, np.array([0, 7, 0], np.float32))(x)
    weights[1] = 0 if weight else weights[1]
    assert_near(found, by_linear(x, weights, np.array([0, 7, 0], np.float32)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_inputs_that_are_no_numbers_stay_none(library: ctypes.CDLL, value: float) -> None:
    x, weight, bias = normal(1, 20, 16), normal(8, 16, 1, 1), np.zeros(8, np.float32)
    layer = Linear(library, weight, bias)
    expected = layer(x)
    x[0, 3, 2] = value
    found = layer(x)
    assert not np.isfinite(found[0, 3]).any()
    found[0, 3] = expected[0, 3]
    np.testing.assert_array_equal(found, expected)


def test_each_position_has_a_step_of_its_own(library: ctypes.CDLL) -> None:
    """Positions of very different sizes are as precise as if they were alone; zeros stay zeros."""
    x, weight, bias = normal(1, 5, 64), normal(24, 64, 1, 1), np.zeros(24, np.float32)
    x *= np.array([1, 1e-6, 1e6, 0, 1], np.float32)[:, None]
    layer = Linear(library, weight, bias)
    found = layer(x)
    for i in range(5):
        np.testing.assert_array_equal(found[:, i : i + 1], layer(np.ascontiguousarray(x[:, i : i + 1])))
        assert_near(found[:, i], by_linear(x[:, i], weight, bias))
    assert not found[0, 3].any()


def test_quantised_maps_have_a_border_of_zeros(library: ctypes.CDLL) -> None:
    x = normal(3, 4, 16)
    found = quantised(library, x)
    whole, steps = found.whole[: 5 * 6].reshape(5, 6, 16), found.steps.reshape(5, 6)
    assert found.whole.shape == (5 * 6 + GROUP, 16)
    assert np.abs(whole).max() == 8191
    np.testing.assert_allclose(whole[1:4, 1:5] * steps[1:4, 1:5, None], x, atol=np.abs(x).max() / 8191)
    whole[1:4, 1:5] = 0
    assert not found.whole.any()


@pytest.mark.parametrize(
    "x", [normal(2, 2, 8), normal(2, 16), normal(2, 2, 16).astype(np.float64), normal(2, 2, 32)[:, :, ::2]]
)
def test_what_c_could_not_read_is_refused(library: ctypes.CDLL, x: NDArray[np.floating]) -> None:
    linear = Linear(library, normal(8, 16, 1, 1), normal(8))
    with pytest.raises(ValueError, match="for a layer of 16 channels"):
        linear(x)  # type: ignore[arg-type]


def test_maps_that_do_not_fit_a_convolution_are_refused(library: ctypes.CDLL) -> None:
    with pytest.raises(ValueError, match="for 24 inputs"):
        Convolution(library, normal(8, 24, 3, 3), normal(8), (16, 16))
    convolution = Convolution(library, normal(8, 24, 3, 3), normal(8), (16, 8))
    large, small = quantised(library, normal(4, 4, 16)), quantised(library, normal(3, 4, 8))
    with pytest.raises(ValueError, match=r"for \(16, 8\) channels"):
        convolution(large, small)


def test_gains_of_another_shape_are_refused(library: ctypes.CDLL) -> None:
    shapes = [(16, 16, 1, 1), (16, 16, 1, 1), (32, 16, 1, 1), (16, 16, 1, 1), (16, 1, 3, 3)]
    weights = [normal(*shape) for shape in shapes]
    block = Block(library, weights, [normal(len(weight)) for weight in weights], 0.1)
    with pytest.raises(ValueError, match="a gain of"):
        block(normal(2, 2, 16), normal(1, 1, 16), normal(2, 1, 16))


def test_layers_of_sizes_that_c_does_not_have_are_an_error(library: ctypes.CDLL) -> None:
    with pytest.raises(MemoryError):
        Linear(library, normal(8, 3, 1, 1), normal(8))


@pytest.mark.parametrize(("width", "count"), [(8, 1), (64, 4)])
def test_little_work_is_not_shared_out(
    library: ctypes.CDLL, width: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands: list[int] = []
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    monkeypatch.setattr(native_layers, "in_bands", lambda height, rows, work: bands.append(-(-height // rows)))
    Linear(library, normal(192, 192, 1, 1), normal(192))(normal(32, width, 192))
    assert bands == [count]
