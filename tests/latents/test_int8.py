from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.latents import int8
from cwic.latents.int8 import Depthwise, PhasePointwise, Pointwise, activations, leaky_relu, shift_round

Tensors = dict[str, NDArray[Any]]


def layer(shape: tuple[int, ...], largest_multiplier: int = 1 << 20, seed: int = 0) -> Tensors:
    random = np.random.default_rng(seed)
    return {
        "a.weight": random.integers(-127, 128, shape).astype(np.int8),
        "a.multiplier": random.integers(1, largest_multiplier, shape[:-1]).astype(np.int32),
        "a.bias": random.integers(-5000, 5000, shape[:-1]).astype(np.int32),
    }


def lowered(x: NDArray[Any]) -> NDArray[Any]:
    """Activations in Python's own integers."""
    return np.clip([(int(v) + 8) >> 4 for v in x.flat], -127, 127).reshape(x.shape).astype(object)


def finished(sums: NDArray[Any], multiplier: NDArray[Any], bias: NDArray[Any]) -> NDArray[Any]:
    scaled = sums * multiplier.astype(object) + (1 << 19)
    return np.vectorize(lambda v: v >> 20, otypes=[object])(scaled) + bias.astype(object)


@pytest.fixture(params=[np.float32, np.float64])
def product(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products as they come from either type."""
    monkeypatch.setattr(int8, "product", lambda a, b: a.astype(request.param) @ b.astype(request.param))


STREAM = np.random.default_rng(1).integers(-6000, 6000, (5, 40)).astype(np.int32)


@pytest.mark.parametrize("largest", [1 << 12, 1 << 20, (1 << 31) - 1])
@pytest.mark.usefixtures("product")
def test_a_linear_map_is_integer_arithmetic(largest: int) -> None:
    tensors = layer((7, 40), largest)
    found = Pointwise(tensors, "a", 40, 7)(STREAM)
    sums = lowered(STREAM) @ tensors["a.weight"].T.astype(object)
    expected = finished(sums, tensors["a.multiplier"], tensors["a.bias"])
    assert found.astype(object).astype(int).tolist() == expected.tolist()


def test_sums_too_large_for_doubles_are_scaled_in_int64() -> None:
    tensors = layer((2, 1000))
    tensors["a.weight"][:], tensors["a.multiplier"][:] = 127, (1 << 31) - 1
    stream = np.full((1, 1000), 1 << 14, np.int32)
    stream[0, 0] -= 1 << 14
    sums = lowered(stream) @ tensors["a.weight"].T.astype(object)
    expected = finished(sums, tensors["a.multiplier"], tensors["a.bias"])
    assert Pointwise(tensors, "a", 1000, 2)(stream).astype(object).astype(int).tolist() == expected.tolist()


@pytest.mark.usefixtures("product")
def test_each_phase_has_its_map() -> None:
    tensors = layer((4, 6, 10))
    stream = np.random.default_rng(2).integers(-3000, 3000, (40, 24, 4, 10)).astype(np.int32)
    order = [2, 0, 3, 1]
    found = PhasePointwise(tensors, "a", 10, 6)(stream, order)
    assert found.shape == (40, 24, 4, 6)
    for phase, chosen in enumerate(order):
        part = {name: array[chosen] for name, array in tensors.items()}
        expected = Pointwise(part, "a", 10, 6)(stream[:, :, phase].reshape(-1, 10))
        np.testing.assert_array_equal(found[:, :, phase].reshape(-1, 6), expected)


@pytest.mark.usefixtures("product")
def test_a_depthwise_convolution_is_nine_products() -> None:
    tensors = layer((6, 9))
    stream = np.random.default_rng(3).integers(-3000, 3000, (5, 7, 6)).astype(np.int32)
    padded = np.pad(lowered(stream), ((1, 1), (1, 1), (0, 0)))
    taps = tensors["a.weight"].T.astype(object)
    sums = sum(padded[tap // 3 : tap // 3 + 5, tap % 3 : tap % 3 + 7] * taps[tap] for tap in range(9))
    expected = finished(sums, tensors["a.multiplier"], tensors["a.bias"])
    mixed = Depthwise(tensors, "a", 6)
    assert mixed(stream).astype(object).astype(int).tolist() == expected.tolist()
    for first, last in ((0, 1), (1, 3), (4, 5)):
        np.testing.assert_array_equal(mixed.sums(stream, first, last), mixed.sums(stream, 0, 5)[first:last])


@pytest.mark.parametrize("largest", [1 << 9, 1 << 16, 1 << 22, (1 << 31) - 1])
@pytest.mark.parametrize("leaky", [True, False])
def test_one_step_to_the_next_activations_is_what_several_give(largest: int, leaky: bool) -> None:
    layer_ = Pointwise(layer((7, 40), largest), "a", 40, 7)
    sums = np.random.default_rng(4).integers(-(1 << 19), 1 << 19, (3000, 7)).astype(np.float32)
    sums[:200] = np.arange(-100, 100)[:, None]
    stream = layer_.stream(sums)
    expected = activations(leaky_relu(stream) if leaky else stream)
    found = layer_.lowered(sums, leaky=leaky)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_floats_that_hold_whole_numbers_are_treated_as_integers_are() -> None:
    whole = np.arange(-3000, 3000, 7, dtype=np.int32)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(activations(whole.astype(kind)), activations(whole))
        np.testing.assert_array_equal(leaky_relu(whole.astype(kind)), leaky_relu(whole))
    assert leaky_relu(np.array([-17, -16, -1, 0, 5], np.int32)).tolist() == [-3, -2, -1, 0, 5]
    assert activations(np.array([-5000, -9, -8, 7, 8, 5000], np.int32)).tolist() == [-127, -1, 0, 0, 1, 127]


def test_shifts_round_half_up() -> None:
    assert shift_round(np.array([-6, -5, -2, 1, 2, 3, 5, 6]), 2).tolist() == [-1, -1, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"a.weight": None}, "lack a.weight"),
        ({"a.weight": np.zeros((7, 41), np.int8)}, "not int8"),
        ({"a.bias": np.zeros(7, np.int64)}, "not int32"),
        ({"a.weight": np.full((7, 40), 127, np.int8), "a.multiplier": np.full(7, -(1 << 31), np.int32)}, None),
    ],
)
def test_tensors_that_do_not_fit_are_refused(changed: dict, reason: str | None) -> None:
    tensors = {name: array for name, array in (layer((7, 40)) | changed).items() if array is not None}
    if reason is None:
        Pointwise(tensors, "a", 40, 7)  # large, and still exact in int64
        return
    with pytest.raises(ModelError, match=reason):
        Pointwise(tensors, "a", 40, 7)


def test_sums_that_float32_may_not_hold_are_refused() -> None:
    tensors = layer((1, 1041))
    tensors["a.weight"][:] = 127
    with pytest.raises(ModelError, match=r"layer a could overflow: sums reach 16790289"):
        Pointwise(tensors, "a", 1041, 1)


def test_a_fraction_that_doubles_cannot_hold_is_rounded_as_integers_are() -> None:
    tensors = layer((1, 1024))
    tensors["a.weight"][:], tensors["a.multiplier"][:] = 127, (1 << 31) - 1
    largest = 15 * (1 << 20) + (1 << 19)
    for sums in (largest - 1, largest, largest + 1):  # scaled, they lie 2^-20 from where rounding changes
        expected = finished(np.array([[sums]], object), tensors["a.multiplier"], tensors["a.bias"])
        found = Pointwise(tensors, "a", 1024, 1).stream(np.array([[sums]], np.float32))
        assert found.astype(object).astype(int).tolist() == expected.tolist()
