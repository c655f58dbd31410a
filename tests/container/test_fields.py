"""Every kind of field at both ends of its range, and one step beyond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwic.container.fields import Choice, Number, Packed, Raw, Varint
from cwic.errors import FormatError

VARINT = Varint("size", minimum=1)
PAIR = Packed("pair", (Number("low", 0, 1000, bits=10), Choice("word", ("a", "b", "c"), bits=6)), size=2)


@pytest.mark.parametrize(
    ("value", "packed"),
    [(1, "01"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001"), (0x7FFFFFFF, "ffffffff07")],
)
def test_varint_bytes(value: int, packed: str) -> None:
    assert VARINT.pack(value).hex() == packed
    assert VARINT.unpack(bytes.fromhex("00" + packed + "00"), 1) == (value, 1 + len(packed) // 2)


@given(st.integers(1, (1 << 31) - 1))
def test_varint_round_trip(value: int) -> None:
    packed = VARINT.pack(value)
    assert VARINT.unpack(packed, 0) == (value, len(packed))


@pytest.mark.parametrize("value", [0, -1, 1 << 31, True, 1.0, None])
def test_varint_out_of_range(value: object) -> None:
    with pytest.raises(ValueError, match="size must be from 1 to 2147483647"):
        VARINT.pack(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", ["00", "8000", "ff00", "8080808008", "ffffffff0f", "ffffffffff01"])
def test_varint_not_valid(packed: str) -> None:
    with pytest.raises(ValueError, match="size"):
        VARINT.unpack(bytes.fromhex(packed), 0)


def test_varint_zero_is_short_enough() -> None:
    assert Varint("length").unpack(b"\0", 0) == (0, 1)


@pytest.mark.parametrize("packed", ["", "80", "ffffffff"])
def test_varint_cut_short(packed: str) -> None:
    with pytest.raises(FormatError, match="cut short inside 'size'"):
        VARINT.unpack(bytes.fromhex(packed), 0)


@pytest.mark.parametrize(("values", "packed"), [((0, "a"), "0000"), ((1000, "c"), "e80b"), ((1, "b"), "0104")])
def test_packed_first_part_is_lowest(values: tuple[int, str], packed: str) -> None:
    assert PAIR.pack(values).hex() == packed
    assert PAIR.unpack(bytes.fromhex(packed), 0) == (values, 2)


@pytest.mark.parametrize("values", [(-1, "a"), (1001, "a"), (0, "d"), (0, "")])
def test_packed_out_of_range(values: tuple[int, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PAIR.pack(values)


@pytest.mark.parametrize("packed", ["e903", "ff03", "000c", "00fc"])
def test_packed_not_valid(packed: str) -> None:
    with pytest.raises(ValueError, match=r"low must be|word has no code"):
        PAIR.unpack(bytes.fromhex(packed), 0)


def test_raw() -> None:
    field = Raw("id", 4)
    assert field.unpack(b"-" + field.pack(b"\0\xff12"), 1) == (b"\0\xff12", 5)
    assert field.show(b"\0\xff12") == "00ff3132"
    for wrong in (b"123", b"12345", "1234"):
        with pytest.raises(ValueError, match="id must be 4 bytes"):
            field.pack(wrong)  # type: ignore[arg-type]
    with pytest.raises(FormatError):
        field.unpack(b"123", 0)
