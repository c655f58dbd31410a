from __future__ import annotations

import numpy as np
import pytest

from cwic.errors import ModelError
from cwic.latents.wide import (
    FRACTION_BITS,
    NUMBER_MAX,
    SHIFT_MAX,
    WEIGHT_MAX,
    WideConv3x3,
    WideLayer,
    clamp,
    leaky_relu,
    shift_round,
)

Tensors = dict[str, np.ndarray]

UNIT = 1 << FRACTION_BITS


def layer(shape: tuple[int, int, int], shift: list[int], seed: int = 0) -> Tensors:
    random = np.random.default_rng(seed)
    return {
        "a.weight": random.integers(-WEIGHT_MAX, WEIGHT_MAX + 1, shape).astype(np.int16),
        "a.shift": np.array(shift, np.int16),
        "a.bias": random.integers(-1000, 1000, shape[0]).astype(np.int32),
    }


def finished(sums: np.ndarray, tensors: Tensors) -> np.ndarray:
    """Sums of Python's integers, shifted and clamped."""
    shift, bias = tensors["a.shift"].tolist(), tensors["a.bias"].tolist()
    rows = sums.reshape(-1, len(shift)).tolist()
    shifted = [[((t + (1 << s >> 1)) >> s) + b for t, s, b in zip(row, shift, bias, strict=True)] for row in rows]
    return np.array(shifted).clip(-NUMBER_MAX, NUMBER_MAX).reshape(sums.shape)


def test_shifts_round_half_up_exactly_to_the_largest_sums() -> None:
    values = [(1 << 51) - 1, -(1 << 51) + 1, 3, -3, 1, -1, 6, (1 << 50) + 1]
    for bits in (0, 1, 2, 7, 40):
        expected = [(value + (1 << bits >> 1)) >> bits for value in values]
        assert shift_round(np.array(values, np.float64), 2.0**-bits).astype(np.int64).tolist() == expected


def test_the_leak_is_one_hundredth() -> None:
    x = np.array([-NUMBER_MAX, -UNIT, -1, 0, 1, NUMBER_MAX], np.float64)
    assert leaky_relu(x).tolist() == [-83888, -41, 0, 0, 1, NUMBER_MAX]


def test_numbers_are_clamped_in_place() -> None:
    x = np.array([-1e9, 5, 1e9])
    assert clamp(x) is x
    assert x.tolist() == [-NUMBER_MAX, 5, NUMBER_MAX]


def test_a_layer_is_exact_integer_arithmetic() -> None:
    tensors = layer((4, 3, 500), [0, 5, 20, SHIFT_MAX])
    x = np.random.default_rng(1).integers(-NUMBER_MAX, NUMBER_MAX + 1, (20, 1500))
    sums = x.astype(object) @ tensors["a.weight"].reshape(4, -1).T.astype(object)
    found = WideLayer(tensors, "a", 500, 4, taps=3)(x.astype(np.float64))
    np.testing.assert_array_equal(found, finished(sums, tensors))


@pytest.mark.parametrize("upscale", [1, 2])
def test_a_convolution_is_nine_products_and_a_shuffle(upscale: int) -> None:
    outputs = 5 * upscale**2
    tensors = layer((outputs, 9, 6), [14] * outputs)
    x = np.random.default_rng(2).integers(-9 * UNIT, 9 * UNIT, (4, 7, 6))
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0))).astype(object)
    taps = tensors["a.weight"].astype(object)
    sums = sum(padded[t // 3 : t // 3 + 4, t % 3 : t % 3 + 7] @ taps[:, t].T for t in range(9))
    expected = finished(sums, tensors).reshape(4, 7, 5, upscale, upscale)
    found = WideConv3x3(tensors, "a", 6, 5, upscale)(x.astype(np.float64))
    assert found.shape == (4 * upscale, 7 * upscale, 5)
    for row in range(upscale):
        for column in range(upscale):
            np.testing.assert_array_equal(found[row::upscale, column::upscale], expected[..., row, column])


def test_sums_that_could_be_inexact_are_refused() -> None:
    tensors = layer((1, 1, (1 << 13) + 2), [3])
    tensors["a.weight"][:] = WEIGHT_MAX
    with pytest.raises(ModelError, match=r"layer a could overflow: sums reach 2\^51\.0"):
        WideLayer(tensors, "a", (1 << 13) + 2, 1)
    tensors["a.weight"][:, :, :8] = 0
    WideLayer(tensors, "a", (1 << 13) + 2, 1)
    for shift in (-1, SHIFT_MAX + 1):
        tensors["a.shift"][:] = shift
        with pytest.raises(ModelError):
            WideLayer(tensors, "a", (1 << 13) + 2, 1)
