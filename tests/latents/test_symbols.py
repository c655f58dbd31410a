from __future__ import annotations

import numpy as np
import pytest

from cwic.entropy import SymbolEncoder
from cwic.entropy.checksum import symbol_crc
from cwic.entropy.tables import Tables
from cwic.errors import FormatError
from cwic.latents.symbols import CodedLatents, CutReader, Discard, SymbolReader, SymbolWriter

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


def test_of_cut_data_whole_calls_are_right_and_the_rest_is_zero(
    tables: Tables, symbols: np.ndarray, indexes: np.ndarray, coded: CodedLatents
) -> None:
    reader = CutReader(tables, coded.data[: len(coded.data) * 7 // 10], tile=3)
    found = [reader.get(indexes) for _ in symbols]
    assert reader.is_whole == [True, True, False, False]
    for part, its in zip(symbols[:2], found, strict=False):
        np.testing.assert_array_equal(its, np.where(indexes == 0, 0, part))
    assert not found[3].any()
    reader.finish(coded.crc ^ 1)  # nothing can be checked


def test_data_that_are_not_cut_after_all_are_checked(
    tables: Tables, symbols: np.ndarray, indexes: np.ndarray, coded: CodedLatents
) -> None:
    reader = CutReader(tables, coded.data + b"more", tile=3)
    for _ in symbols:
        reader.get(indexes)
    assert all(reader.is_whole)
    reader.finish(coded.crc)
    with pytest.raises(FormatError, match="checksum differs"):
        reader.finish(coded.crc ^ 1)
