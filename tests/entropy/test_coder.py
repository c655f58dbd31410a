from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwic.entropy.coder import CutDecoder, SymbolDecoder, SymbolEncoder
from cwic.entropy.tables import PRECISION, TOTAL, Tables, gaussian_tables
from cwic.errors import FormatError

SCALES = np.geomspace(0.11, 256, 64)
TABLES = gaussian_tables(SCALES)


def encode(tables: Tables, *calls: tuple[np.ndarray, np.ndarray]) -> bytes:
    encoder = SymbolEncoder(tables)
    for symbols, indexes in calls:
        encoder.encode(symbols, indexes)
    return encoder.finish()


def decode(tables: Tables, data: bytes, *calls: np.ndarray) -> list[np.ndarray]:
    decoder = SymbolDecoder(tables, data)
    decoded = [decoder.decode(indexes) for indexes in calls]
    decoder.finish()
    return decoded


def draw(rng: np.random.Generator, count: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    indexes = rng.integers(0, len(SCALES), count).astype(np.uint8)
    symbols = np.rint(rng.normal(0, spread * SCALES[indexes])).clip(-32768, 32767).astype(np.int32)
    symbols[indexes == 0] = 0
    return symbols, indexes


def written_out(tables: Tables, *calls: tuple[np.ndarray, np.ndarray]) -> bytes:
    """docs/format.md, sections 5.2 to 5.5, in whole numbers of any size and nothing else."""
    low, width, words = 0, (1 << 64) - 1, 0

    def put(left: int, frequency: int) -> None:
        nonlocal low, width, words
        unit = width >> PRECISION
        low, width = low + unit * left, unit * frequency
        if width < 1 << 32:
            low, width, words = low << 32, width << 32, words + 1

    coded = False
    for symbols, indexes in calls:
        for index in range(1, len(tables)):
            row, reach = tables[index].tolist(), int(tables.reaches[index])
            group = symbols[indexes == index].tolist()
            for symbol in group:
                entry = symbol + reach if abs(symbol) <= reach else 2 * reach + 1
                put(sum(row[:entry]), row[entry])
                coded = True
            for symbol in group:
                if abs(symbol) > reach:
                    put((2 * (abs(symbol) - reach - 1) + (symbol < 0)) << 8, 1 << 8)
    if not coded:
        return b""
    point = (low + (1 << 32) - 1) >> 32
    out = [point >> 32 * (words - k) & 0xFFFFFFFF for k in range(words + 1)]
    if (low + width) >> 32 == point:
        out.append(0)
    return np.array(out, "<u4").tobytes()


def test_golden_words() -> None:
    tables = Tables.from_rows(
        np.array(row, np.int32)
        for row in (
            [TOTAL - 1, 1],
            [1 << 23, 1 << 23],
            [3_000_000, 10_000_000, 3_000_000, TOTAL - 16_000_000],
        )
    )
    symbols = np.array([0, 1, -1, 0, 0, 7, 0, -300, -32768, 0, 1, 32767], np.int32)
    indexes = np.array([1, 2, 2, 0, 2, 2, 0, 1, 2, 1, 2, 1], np.uint8)
    data = encode(tables, (symbols, indexes), (symbols[::-1], indexes[::-1]))
    assert np.frombuffer(data, "<u4").tolist() == [
        1344634879,
        3402166723,
        3417556484,
        278287245,
        3478047052,
        3261847680,
    ]
    assert data == written_out(tables, (symbols, indexes), (symbols[::-1], indexes[::-1]))


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0, 300.0])
@pytest.mark.parametrize("seed", range(3))
def test_words_are_those_of_the_format(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    calls = [draw(rng, count, spread) for count in (50, 0, 1, 400)]
    data = encode(TABLES, *calls)
    assert data == written_out(TABLES, *calls)
    for (symbols, _), decoded in zip(calls, decode(TABLES, data, *(call[1] for call in calls)), strict=True):
        assert decoded.dtype == np.int32
        assert np.array_equal(decoded, symbols)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(-32768, 32767), st.integers(0, 63)), max_size=30), max_size=4))
def test_any_symbols(drawn: list[list[tuple[int, int]]]) -> None:
    calls = []
    for pairs in drawn:
        symbols = np.array([symbol if index else 0 for symbol, index in pairs], np.int32)
        calls.append((symbols, np.array([index for _, index in pairs], np.uint8)))
    data = encode(TABLES, *calls)
    assert data == written_out(TABLES, *calls)
    for (symbols, _), decoded in zip(calls, decode(TABLES, data, *(call[1] for call in calls)), strict=True):
        assert np.array_equal(decoded, symbols)


def test_every_frequency_reaches_the_coder_unchanged() -> None:
    """Tables of random integers, where a rounded probability would show."""
    rng = np.random.default_rng(7)
    rows = []
    for size in (2, 4, 64, 1000, 20_000):
        cuts = np.sort(rng.choice(np.arange(1, TOTAL), size - 1, replace=False))
        rows.append(np.diff(np.concatenate([[0], cuts, [TOTAL]])).astype(np.int32))
    tables = Tables.from_rows([rows[0], *rows])
    indexes = rng.integers(0, len(tables), 300).astype(np.uint8)
    symbols = rng.integers(-1, 2, 300) * tables.reaches[indexes] * (indexes > 0)
    call = symbols.astype(np.int32), indexes
    assert encode(tables, call) == written_out(tables, call)


def test_length_is_the_ideal() -> None:
    symbols, indexes = draw(np.random.default_rng(1), 100_000, spread=1.5)
    ideal = TABLES.bits(symbols, indexes)
    assert ideal <= 8 * len(encode(TABLES, (symbols, indexes))) < ideal * 1.0001 + 64


def test_nothing_is_nothing() -> None:
    empty = np.zeros(0, np.int32), np.zeros(0, np.uint8)
    uncoded = np.zeros(5, np.int32), np.zeros(5, np.uint8)
    assert encode(TABLES) == encode(TABLES, empty) == encode(TABLES, uncoded) == b""
    first, second = decode(TABLES, b"", empty[1], uncoded[1])
    assert first.shape == (0,)
    assert second.tolist() == [0] * 5


@pytest.mark.parametrize("value", [-32768, -9, -8, 8, 9, 32767])
def test_both_ends_and_around_the_reach(value: int) -> None:
    assert TABLES.reaches[1] == 8
    call = np.array([value], np.int32), np.array([1], np.uint8)
    assert decode(TABLES, encode(TABLES, call), call[1])[0].tolist() == [value]


@pytest.mark.parametrize(
    ("symbols", "indexes"),
    [
        (np.array([32768], np.int32), np.array([1], np.uint8)),
        (np.array([-32769], np.int32), np.array([1], np.uint8)),
        (np.array([1], np.int32), np.array([0], np.uint8)),
        (np.array([0, 1], np.int32), np.array([1, 0], np.uint8)),
        (np.array([0], np.int64), np.array([1], np.uint8)),
        (np.array([0], np.int32), np.array([1], np.int32)),
        (np.array([0], np.int32), np.array([64], np.uint8)),
        (np.array([0, 0], np.int32), np.array([1], np.uint8)),
        (np.array([[0]], np.int32), np.array([[1]], np.uint8)),
    ],
)
def test_misuse(symbols: np.ndarray, indexes: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"symbol|index"):
        SymbolEncoder(TABLES).encode(symbols, indexes)


def test_damaged_data_never_surprise() -> None:
    """Any words decode to symbols in range or raise FormatError."""
    rng = np.random.default_rng(3)
    _, indexes = draw(rng, 300)
    streams = [rng.integers(0, 256, 4 * words, np.uint8).tobytes() for words in range(60)]
    for data in [*streams, b"\xff" * 4, b"\xff" * 400, b"\0" * 400, b""]:
        decoder = SymbolDecoder(TABLES, data)
        try:
            symbols = decoder.decode(indexes)
            decoder.finish()
        except FormatError:
            continue
        assert np.array_equal(symbols, symbols.astype(np.int16))


def test_impossible_word() -> None:
    with pytest.raises(FormatError, match="damaged"):
        SymbolDecoder(TABLES, b"\xff" * 8).decode(np.array([1], np.uint8))


def test_escape_out_of_range() -> None:
    """The 16 bits of -32768 beyond a reach of 0 are those of -32769 beyond a reach of 1."""
    index = np.array([1], np.uint8)
    near, far = (Tables.from_rows([np.array(row, np.int32)] * 2) for row in ([3, TOTAL - 3], [1, 1, 1, TOTAL - 3]))
    data = encode(near, (np.array([-32768], np.int32), index))
    with pytest.raises(FormatError, match="escape is out of range"):
        SymbolDecoder(far, data).decode(index)


def test_words_left_over() -> None:
    symbols, indexes = draw(np.random.default_rng(5), 2000)
    data = encode(TABLES, (symbols, indexes))
    for more in (b"\0" * 8, b"\1" * 8, data):
        with pytest.raises(FormatError, match="do not end with the data"):
            decode(TABLES, data + more, indexes)
    with pytest.raises(FormatError, match="damaged"):
        decode(TABLES, data, indexes[:1000])


def test_words_missing() -> None:
    """Truncation is nearly always found by the coder itself; the symbols come out wrong in any case."""
    symbols, indexes = draw(np.random.default_rng(5), 2000)
    data = encode(TABLES, (symbols, indexes))
    found = 0
    for size in range(0, len(data), 4):
        try:
            assert not np.array_equal(decode(TABLES, data[:size], indexes)[0], symbols)
        except FormatError:
            found += 1
    assert found > 0.8 * len(data) / 4


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_not_whole_words(size: int) -> None:
    with pytest.raises(FormatError, match="whole number of 32-bit words"):
        SymbolDecoder(TABLES, bytes(size))


@given(st.integers(0, 2**32 - 1), st.floats(0, 1.5))
@settings(max_examples=30)
def test_what_was_written_never_counts_as_too_much(seed: int, spread: float) -> None:
    symbols, indexes = draw(np.random.default_rng(seed), 3000, spread)
    np.testing.assert_array_equal(decode(TABLES, encode(TABLES, (symbols, indexes)), indexes)[0], symbols)


def test_more_symbols_than_the_data_can_hold_are_refused_at_once() -> None:
    indexes = np.full(1_000_000, 20, np.uint8)
    least = TABLES.least_bits[20] * indexes.size
    with pytest.raises(FormatError, match="more symbols than the data can hold"):
        SymbolDecoder(TABLES, bytes(4 * int((least - 65) // 32))).decode(indexes)
    decoder = SymbolDecoder(TABLES, bytes(4 * int(least // 32)))
    for _ in range(2):
        decoder.decode(indexes[:500_000])
    with pytest.raises(FormatError, match="more symbols"):
        decoder.decode(indexes[:1000])


@pytest.mark.parametrize("spread", [0.3, 1.0, 30.0])
def test_what_lies_before_a_cut_is_decoded_and_nothing_is_invented(spread: float) -> None:
    calls = [draw(np.random.default_rng(seed), 100, spread) for seed in range(3)]
    data = encode(TABLES, *calls)
    before = 0.0
    for size in range(0, len(data) + 1, 3):
        decoder, bits = CutDecoder(TABLES, data[:size]), 0.0
        for symbols, indexes in calls:
            found, known = decoder.decode(indexes)
            assert np.array_equal(found, np.where(known, symbols, 0))
            assert known[indexes == 0].all()
            bits += TABLES.bits(symbols[known], indexes[known])
        assert before <= bits <= 8 * size + 64
        # Without the escapes of a group, which come behind it, other symbols of it are known all the same.
        assert spread > 1 or bits >= 8 * size - 24 - 64
        before = bits


def test_whole_data_give_nearly_all_symbols_to_the_decoder_of_cut_data() -> None:
    symbols, indexes = draw(np.random.default_rng(5), 2000)
    data = encode(TABLES, (symbols, indexes))
    for more in (b"", b"\1\2\3", b"noise"):
        found, known = CutDecoder(TABLES, data + more).decode(indexes)
        assert known.mean() > 0.98
        assert np.array_equal(found[known], symbols[known])


def test_damaged_cut_data_never_surprise() -> None:
    rng = np.random.default_rng(3)
    _, indexes = draw(rng, 300)
    streams = [rng.integers(0, 256, size, np.uint8).tobytes() for size in range(90)]
    for data in [*streams, b"\xff" * 4, b"\xff" * 400, b"\0" * 400, b""]:
        try:
            symbols, known = CutDecoder(TABLES, data).decode(indexes)
        except FormatError:
            continue
        assert np.array_equal(symbols, symbols.astype(np.int16))
        assert not symbols[~known].any()
