from __future__ import annotations

import numpy as np
import pytest

from cwic.container import PLAIN
from cwic.entropy.lossless import encode_plane
from cwic.errors import FormatError
from cwic.image.arrays import to_floats
from cwic.image.geometry import pad
from cwic.image.picture import Picture, as_picture
from cwic.models.base import encode
from cwic.models.cwic import CwicModel
from cwic.tiling.lossless_tile import decode_plain, encode_plain, lossless_if_better

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (37, 51, 3), np.uint8)


@pytest.mark.parametrize("shift", range(8))
@pytest.mark.parametrize("pixels", [COLOUR, COLOUR[..., 0]])
def test_samples_come_back_to_half_a_step(pixels: np.ndarray, shift: int) -> None:
    payload = encode_plain(pixels, shift)
    decoded = decode_plain(payload, 37, 51, 3 if pixels.ndim == 3 else 1)
    assert decoded.shape == pixels.shape
    assert np.abs(decoded.astype(int) - pixels).max() <= (1 << shift) >> 1
    if shift == 0:
        np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes([8, 4, 0]),
        bytes([9, 4, 0]),
        bytes([8]) + encode_plane(COLOUR[..., 0]),
        bytes([3]) + encode_plane(COLOUR[..., 0]),
        bytes([0, 4]),
    ],
)
def test_payloads_that_no_encoder_writes(payload: bytes) -> None:
    with pytest.raises(FormatError, match="damaged"):
        decode_plain(payload, 37, 51, 1)


def chosen(model: CwicModel, picture: Picture, level: int) -> bytes | None:
    x = pad(to_floats(picture))
    chunk = lossless_if_better(model, picture.pixels, encode(model, x, level), level)
    assert chunk is None or chunk.type == PLAIN
    return chunk.payload if chunk else None


def test_what_is_smooth_is_left_to_the_networks(model: CwicModel, picture: Picture) -> None:
    assert chosen(model, Picture(picture.pixels[:128, :128], "RGB"), 500) is None


def test_noise_is_shortened_by_fewer_bits_the_better_it_is_to_be(model: CwicModel) -> None:
    noise = as_picture(RANDOM.integers(0, 256, (128, 128, 3), np.uint8))
    shifts = [payload[0] for level in (0, 300, 600, 900) if (payload := chosen(model, noise, level))]
    assert shifts == sorted(shifts, reverse=True)
    assert (shifts[0], shifts[-1]) == (7, 4)


def test_patterns_are_kept_whole(model: CwicModel) -> None:
    rows, columns = np.mgrid[:128, :128]
    payload = chosen(model, as_picture((255 * ((rows + columns) % 2)).astype(np.uint8)), 100)
    assert payload is not None
    assert payload[0] == 0
    assert len(payload) < 200


@pytest.mark.parametrize(("difference", "tried"), [(27, False), (38, False), (39, True)])
def test_what_differs_no_more_than_twice_what_photographs_do_is_not_tried(
    model: CwicModel, monkeypatch: pytest.MonkeyPatch, difference: int, tried: bool
) -> None:
    asked: list[int] = []
    synthesise = model.synthesise
    monkeypatch.setattr(model, "synthesise", lambda y_hat, level: asked.append(level) or synthesise(y_hat, level))
    rows, columns = np.mgrid[:64, :64]
    # Every sample differs from its neighbours by `difference`: the mean square of Kodak's pictures is 27.4**2 at most.
    chosen(model, as_picture((100 + difference * ((rows + columns) % 2)).astype(np.uint8)), 500)
    assert asked == [500] * tried
