from __future__ import annotations

import numpy as np
import pytest

from cwic.container import symbol_crc
from cwic.entropy import SymbolEncoder
from cwic.entropy.tables import Tables
from cwic.errors import FormatError
from cwic.latents.symbols import CodedLatents, Discard, SymbolReader, SymbolWriter

Y_HAT = np.zeros((1, 1, 1), np.int64)


@pytest.fixture
def indexes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 64, (6, 5)).astype(np.uint8)


@pytest.fixture
def symbols() -> np.ndarray:
    return np.random.default_rng(1).integers(-3, 4, (4, 6, 5)).astype(np.float64)


@pytest.fixture
def coded(tables: Tables, symbols: np.ndarray, indexes: np.ndarray) -> CodedLatents:
    writer = SymbolWriter(SymbolEncoder(tables), tile=3)
    for part in symbols:
        writer.put(part, indexes)
    return writer.finish(Y_HAT)


def test_what_is_put_comes_back_in_calls_of_the_same_shape(
    tables: Tables, symbols: np.ndarray, indexes: np.ndarray, coded: CodedLatents
) -> None:
    reader = SymbolReader(tables, coded.data, tile=3)
    for part in symbols:
        found = reader.get(indexes)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, np.where(indexes == 0, 0, part))
    reader.finish(coded.crc)


def test_the_writer_returns_what_will_decode(tables: Tables) -> None:
    writer = SymbolWriter(SymbolEncoder(tables), tile=0)
    found = writer.put(np.array([[5.0, -2.0], [1.0, 7.0]]), np.array([0, 9], np.uint8))
    assert found.tolist() == [[0, -2], [0, 7]]
    values = np.array([0, -2, 0, 7], "<i2").tobytes()
    assert writer.finish(Y_HAT).crc == symbol_crc(values, 0)


@pytest.mark.parametrize(("tile", "crc"), [(4, 0), (3, 1)])
def test_symbols_of_another_tile_or_checksum_are_refused(
    tables: Tables, symbols: np.ndarray, indexes: np.ndarray, coded: CodedLatents, tile: int, crc: int
) -> None:
    reader = SymbolReader(tables, coded.data, tile)
    for _ in symbols:
        reader.get(indexes)
    with pytest.raises(FormatError, match="checksum differs"):
        reader.finish(coded.crc ^ crc)


def test_symbols_can_be_thrown_away(symbols: np.ndarray, indexes: np.ndarray) -> None:
    writer = SymbolWriter(Discard(), 0)
    writer.put(symbols[0], indexes)
    assert writer.finish(Y_HAT).data == b""
