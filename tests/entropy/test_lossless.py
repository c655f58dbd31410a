from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from cwic.entropy.lossless import CONSTANT, GRADIENT, LEFT, NONE, UP, decode_plane, encode_plane
from cwic.errors import FormatError

RAMP = np.arange(100, dtype=np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (23, 37), np.uint8)


def decode(payload: bytes, shape: tuple[int, int]) -> np.ndarray:
    return decode_plane(payload, *shape)


@pytest.mark.parametrize(
    ("plane", "kind"),
    [
        (NOISE, NONE),
        (np.random.default_rng(1).integers(0, 256, (100, 1), np.uint8) + RAMP, LEFT),
        (np.random.default_rng(1).integers(0, 256, (1, 100), np.uint8) + RAMP[:, None], UP),
        (RAMP * 3 + RAMP[:, None] * 5, GRADIENT),
        (np.full((5, 7), 200, np.uint8), CONSTANT),
    ],
)
def test_each_prediction_is_used_where_it_fits(plane: np.ndarray, kind: int) -> None:
    payload = encode_plane(plane)
    assert payload[0] == kind
    np.testing.assert_array_equal(decode(payload, plane.shape), plane)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_any_plane_comes_back(plane: np.ndarray) -> None:
    np.testing.assert_array_equal(decode(encode_plane(plane), plane.shape), plane)


def test_a_part_is_decoded_alone() -> None:
    payload = encode_plane(NOISE)
    np.testing.assert_array_equal(decode_plane(payload, *NOISE.shape, slice(3, 9), slice(5, 30)), NOISE[3:9, 5:30])


def test_one_value_costs_two_bytes() -> None:
    assert encode_plane(np.full((3000, 4000), 255, np.uint8)) == bytes([CONSTANT, 255])


@pytest.mark.parametrize("payload", [b"", bytes([5, 0]), bytes([CONSTANT]), bytes([CONSTANT, 1, 2]), b"\0noise"])
def test_payloads_that_no_encoder_writes(payload: bytes) -> None:
    with pytest.raises(FormatError, match="coded plane is damaged"):
        decode(payload, (4, 4))


def test_too_much_too_little_and_damage() -> None:
    payload = encode_plane(NOISE)
    for data in (payload[:-1], payload[: len(payload) // 2], payload + b"\0", payload[:200] + b"?" + payload[201:]):
        with suppress(FormatError):  # or it is what a checksum has to find
            assert not np.array_equal(decode(data, NOISE.shape), NOISE)
    for shape in ((22, 37), (24, 37), (23, 38)):
        with pytest.raises(FormatError):
            decode(payload, shape)


def test_a_bomb_takes_memory_for_what_is_asked_only() -> None:
    payload = encode_plane(np.tile(RAMP, (20_000, 10)))
    assert len(payload) < 10_000
    with pytest.raises(FormatError, match="too long"):
        decode(payload, (2, 1000))
