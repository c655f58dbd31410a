from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cwic.entropy import SymbolEncoder
from cwic.entropy.tables import Tables
from cwic.errors import FormatError
from cwic.latents.coding import SYMBOL_MAX, CodedLatents
from cwic.latents.coding_serial import decode_serial, encode_serial
from cwic.lab.serial_context import SerialContext
from cwic.latents.exact_serial import ExactSerialPrior
from cwic.latents.wide import FRACTION_BITS
from cwic.lab.cwam2024_hyper import hyper_synthesis

N = 8
SHAPE = (2, 3)


@pytest.fixture
def exact() -> ExactSerialPrior:
    torch.manual_seed(5)
    h_s, context = hyper_synthesis(N), SerialContext(N)
    with torch.no_grad():
        h_s[8].weight.mul_(8)
        context.entropy_parameters[4].weight.mul_(4)
        context.entropy_parameters[4].bias[:N] += 1
    prior = ExactSerialPrior(N, context=True)
    prior.take(h_s, context, torch.linspace(-0.5, 0.5, N))
    prior.z_index.fill_(30)
    return prior


@pytest.fixture
def y() -> Tensor:
    return 3 * torch.randn(1, N, 4 * SHAPE[0], 4 * SHAPE[1])


@pytest.fixture
def z() -> Tensor:
    return 2 * torch.randn(1, N, *SHAPE)


@pytest.fixture
def coded(exact: ExactSerialPrior, tables: Tables, y: Tensor, z: Tensor) -> CodedLatents:
    return encode_serial(exact, SymbolEncoder(tables), y, z, tile=7)


def test_what_is_coded_is_decoded(exact: ExactSerialPrior, tables: Tables, y: Tensor, coded: CodedLatents) -> None:
    decoded = decode_serial(exact, tables, coded.data, coded.crc, SHAPE, tile=7)
    assert torch.equal(decoded, coded.decoded)
    values = (decoded.double() / (1 << FRACTION_BITS)).permute(0, 3, 1, 2)
    assert (values - y).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize("value", [1e9, -1e9])
def test_values_beyond_all_symbols_saturate(exact: ExactSerialPrior, tables: Tables, z: Tensor, value: float) -> None:
    y = torch.zeros(1, N, 4 * SHAPE[0], 4 * SHAPE[1])
    y[0, 0, 0, 0] = value
    coded = encode_serial(exact, SymbolEncoder(tables), y, 1e9 * z)
    assert torch.equal(decode_serial(exact, tables, coded.data, coded.crc, SHAPE), coded.decoded)
    assert abs(int(coded.decoded[0, 0, 0, 0])) >> FRACTION_BITS in range(SYMBOL_MAX - 2100, SYMBOL_MAX + 2100)


def test_another_tile_has_another_checksum(exact: ExactSerialPrior, tables: Tables, coded: CodedLatents) -> None:
    with pytest.raises(FormatError, match="checksum"):
        decode_serial(exact, tables, coded.data, coded.crc, SHAPE, tile=8)


@pytest.mark.parametrize("position", [0, 9, -1])
def test_a_flipped_bit_is_found(exact: ExactSerialPrior, tables: Tables, coded: CodedLatents, position: int) -> None:
    damaged = bytearray(coded.data)
    damaged[position] ^= 4
    with pytest.raises(FormatError):
        decode_serial(exact, tables, bytes(damaged), coded.crc, SHAPE, tile=7)


def test_a_sink_sees_all_symbols_in_calls_of_the_format(exact: ExactSerialPrior, y: Tensor, z: Tensor) -> None:
    sizes = []

    class Sink:
        def encode(self, symbols: object, indexes: object) -> None:
            assert symbols.shape == indexes.shape
            sizes.append(symbols.size)

        def finish(self) -> bytes:
            return b"counted"

    assert encode_serial(exact, Sink(), y, z).data == b"counted"
    height, width = y.shape[2:]
    assert sizes[0] == z.numel()
    assert sum(sizes[1:]) == y.numel()
    assert len(sizes) <= 1 + width + 3 * (height - 1)
    assert sizes[1:4] == [N, N, N]
