from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cwic.entropy.coder import SymbolEncoder
from cwic.entropy.tables import Tables
from cwic.errors import FormatError
from cwic.latents.coding import SYMBOL_MAX, CodedLatents, decode_latents, encode_latents
from cwic.latents.exact import VALUE_BITS, ExactPrior
from cwic.latents.rounding import symbol_costs

LEVEL = torch.tensor([700])


def latents(height: int = 8, width: int = 12, strength: float = 1.0) -> tuple[Tensor, Tensor]:
    """Random y and z of a small model, `height` and `width` at 1/16."""
    return strength * torch.randn(1, 16, height, width), 3 * torch.randn(1, 8, height // 4, width // 4)


def encode(
    exact: ExactPrior,
    tables: Tables,
    y: Tensor,
    z: Tensor,
    level: Tensor = LEVEL,
    tile: int = 0,
    weight: float = 100.0,
) -> CodedLatents:
    """With errors that weigh so much that values are rounded to the nearest, unless told otherwise."""
    return encode_latents(exact, SymbolEncoder(tables), symbol_costs(tables), y, z, level, tile, weight)


@pytest.fixture
def coded(exact: ExactPrior, tables: Tables) -> CodedLatents:
    return encode(exact, tables, *latents())


@pytest.mark.parametrize("level", [0, 333, 1000])
@pytest.mark.parametrize("size", [(4, 4), (8, 12), (4, 40)])
def test_what_is_decoded_is_what_was_encoded(
    exact: ExactPrior, tables: Tables, size: tuple[int, int], level: int
) -> None:
    levels = torch.tensor([level])
    coded = encode(exact, tables, *latents(*size), levels, tile=7)
    shape = size[0] // 4, size[1] // 4
    decoded = decode_latents(exact, tables, coded.data, coded.crc, shape, levels, tile=7)
    assert decoded.dtype == torch.int64
    assert torch.equal(decoded, coded.decoded)
    assert decoded.abs().max() > 1 << VALUE_BITS


def test_the_decoded_latent_is_near_the_latent(exact: ExactPrior, tables: Tables) -> None:
    y, z = latents()
    coded = encode(exact, tables, y, z)
    gain = torch.exp2(exact.log2_gain(LEVEL) / 256)[:, :, None, None]
    error = (exact.dequantise(coded.decoded, LEVEL) - y) * gain
    assert (error.abs() < 0.51).float().mean() > 0.95  # the rest has scales too small to be coded


def test_cheap_errors_make_short_files_that_decode_as_well(exact: ExactPrior, tables: Tables) -> None:
    y, z = latents()
    sizes = []
    for weight in (100.0, 3.0, 0.5):
        coded = encode(exact, tables, y, z, weight=weight)
        decoded = decode_latents(exact, tables, coded.data, coded.crc, (2, 3), LEVEL)
        assert torch.equal(decoded, coded.decoded)
        sizes.append(len(coded.data))
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("position", [0, 5, -20, -1])
def test_a_flipped_bit_is_found(exact: ExactPrior, tables: Tables, coded: CodedLatents, position: int) -> None:
    damaged = bytearray(coded.data)
    damaged[position] ^= 0x10
    with pytest.raises(FormatError):
        decode_latents(exact, tables, bytes(damaged), coded.crc, (2, 3), LEVEL)


@pytest.mark.parametrize("size", [0, 4, -4, -3])
def test_a_cut_is_found(exact: ExactPrior, tables: Tables, coded: CodedLatents, size: int) -> None:
    with pytest.raises(FormatError):
        decode_latents(exact, tables, coded.data[:size], coded.crc, (2, 3), LEVEL)


@pytest.mark.parametrize("what", ["crc", "tile", "level", "shape", "longer"])
def test_bytes_that_belong_elsewhere_are_found(
    exact: ExactPrior, tables: Tables, coded: CodedLatents, what: str
) -> None:
    with pytest.raises(FormatError):
        decode_latents(
            exact,
            tables,
            coded.data + bytes(range(1, 9)) * (what == "longer"),
            coded.crc ^ (what == "crc"),
            (3, 2) if what == "shape" else (2, 3),
            LEVEL + 200 * (what == "level"),
            tile=int(what == "tile"),
        )


@pytest.mark.parametrize("strength", [1e3, 1e9])
def test_values_beyond_the_range_are_clamped_alike_on_both_sides(
    exact: ExactPrior, tables: Tables, strength: float
) -> None:
    y, z = latents(4, 4, strength)
    coded = encode(exact, tables, y, 1e3 * z)
    decoded = decode_latents(exact, tables, coded.data, coded.crc, (1, 1), LEVEL)
    assert torch.equal(decoded, coded.decoded)
    largest = int(decoded.abs().max() >> VALUE_BITS)
    assert abs(largest - SYMBOL_MAX) < 64 or strength == 1e3


def test_a_hyper_latent_that_no_encoder_writes_is_refused(
    exact: ExactPrior, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cwic.latents.coding.Z_MAX", 200)
    y, z = latents(4, 4)
    coded = encode(exact, tables, y, z + 100)
    monkeypatch.undo()
    with pytest.raises(FormatError, match="hyper-latent"):
        decode_latents(exact, tables, coded.data, coded.crc, (1, 1), LEVEL)
