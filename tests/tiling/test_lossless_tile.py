from __future__ import annotations

import numpy as np
import pytest

from cwic.container import PLAIN
from cwic.errors import FormatError
from cwic.image.geometry import pad
from cwic.image.picture import Picture, as_picture
from cwic.entropy.lossless import encode_plane
from cwic.image.arrays import to_tensor
from cwic.models.exported import ExportedModel
from cwic.tiling.lossless_tile import Discard, decode_plain, encode_plain, plain_if_better

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
    [b"", bytes([8]) + encode_plane(COLOUR[..., 0]), bytes([3]) + encode_plane(COLOUR[..., 0]), bytes([0, 4])],
)
def test_payloads_that_no_encoder_writes(payload: bytes) -> None:
    with pytest.raises(FormatError, match="damaged"):
        decode_plain(payload, 37, 51, 1)


def chosen(model: ExportedModel, picture: Picture, level: int) -> bytes | None:
    x = pad(to_tensor(picture))
    chunk = plain_if_better(model, picture.pixels, model.encode(x, level), level)
    assert chunk is None or chunk.type == PLAIN
    return chunk.payload if chunk else None


def test_what_is_smooth_is_left_to_the_networks(model: ExportedModel, picture: Picture) -> None:
    assert chosen(model, Picture(picture.pixels[:128, :128], "RGB"), 500) is None


def test_noise_is_shortened_by_fewer_bits_the_better_it_is_to_be(model: ExportedModel) -> None:
    noise = as_picture(RANDOM.integers(0, 256, (128, 128, 3), np.uint8))
    shifts = [payload[0] for level in (0, 300, 600, 900) if (payload := chosen(model, noise, level))]
    assert shifts == sorted(shifts, reverse=True)
    assert (shifts[0], shifts[-1]) == (7, 4)


def test_patterns_are_kept_whole(model: ExportedModel) -> None:
    rows, columns = np.mgrid[:128, :128]
    payload = chosen(model, as_picture((255 * ((rows + columns) % 2)).astype(np.uint8)), 100)
    assert payload is not None
    assert payload[0] == 0
    assert len(payload) < 200


def test_symbols_can_be_thrown_away(model: ExportedModel, picture: Picture) -> None:
    y = model.analyse(pad(to_tensor(Picture(picture.pixels[:64, :64], "RGB"))), 500)
    discarded, coded = model.encode_latents(y, 500, sink=Discard()), model.encode_latents(y, 500)
    assert discarded.data == b""
    assert (discarded.decoded == coded.decoded).all()
