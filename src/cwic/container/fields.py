"""Declared header fields: each checks its range, packs, unpacks and prints itself (docs/format.md, section 1).

`check` raises ValueError for a value out of range; packing and unpacking both run it, so a writer and a
reader cannot disagree on what is valid. Running out of data is a FormatError.
"""

from __future__ import annotations

from dataclasses import dataclass

from cwic.errors import FormatError


def take(data: bytes, position: int, size: int, name: str) -> bytes:
    """The `size` bytes at `position`. Raises FormatError if the data end before."""
    if position + size > len(data):
        raise FormatError(f"the file is cut short inside '{name}', at byte {len(data)}")
    return data[position : position + size]


@dataclass(frozen=True)
class Raw:
    """A fixed number of bytes, printed as hexadecimal digits."""

    name: str
    size: int

    def check(self, value: bytes) -> None:
        if not isinstance(value, bytes) or len(value) != self.size:
            raise ValueError(f"{self.name} must be {self.size} bytes, not {value!r}")

    def pack(self, value: bytes) -> bytes:
        self.check(value)
        return value

    def unpack(self, data: bytes, position: int) -> tuple[bytes, int]:
        return take(data, position, self.size, self.name), position + self.size

    def show(self, value: bytes) -> str:
        return value.hex()


@dataclass(frozen=True)
class Number:
    """An integer from minimum to maximum; `bits` is the room it has inside a `Packed` field."""

    name: str
    minimum: int
    maximum: int
    bits: int = 0

    def check(self, value: int) -> None:
        if type(value) is not int or not self.minimum <= value <= self.maximum:
            raise ValueError(f"{self.name} must be from {self.minimum} to {self.maximum}, not {value!r}")

    def to_code(self, value: int) -> int:
        self.check(value)
        return value

    def from_code(self, code: int) -> int:
        self.check(code)
        return code

    def show(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True)
class Choice:
    """One of a few words, coded as its place in `options`, which therefore may only grow at the end."""

    name: str
    options: tuple[str, ...]
    bits: int

    def check(self, value: str) -> None:
        if value not in self.options:
            raise ValueError(f"{self.name} must be one of {', '.join(self.options)}, not {value!r}")

    def to_code(self, value: str) -> int:
        self.check(value)
        return self.options.index(value)

    def from_code(self, code: int) -> str:
        if code >= len(self.options):
            raise ValueError(f"{self.name} has no code {code}")
        return self.options[code]

    def show(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Packed:
    """Several small fields in one little-endian integer, the first in its lowest bits."""

    name: str
    parts: tuple[Number | Choice, ...]
    size: int

    def pack(self, values: tuple[int | str, ...]) -> bytes:
        packed = shift = 0
        for part, value in zip(self.parts, values, strict=True):
            packed |= part.to_code(value) << shift  # type: ignore[arg-type]  # the part checks the type
            shift += part.bits
        return packed.to_bytes(self.size, "little")

    def unpack(self, data: bytes, position: int) -> tuple[tuple[int | str, ...], int]:
        packed = int.from_bytes(take(data, position, self.size, self.name), "little")
        values: list[int | str] = []
        for part in self.parts:
            values.append(part.from_code(packed & ((1 << part.bits) - 1)))
            packed >>= part.bits
        return tuple(values), position + self.size


@dataclass(frozen=True)
class Varint:
    """An integer in LEB128: seven bits a byte, lowest first, the high bit set on all but the last byte.

    Only the shortest form is valid, so that a value has one spelling.
    """

    name: str
    minimum: int = 0
    maximum: int = (1 << 31) - 1

    def check(self, value: int) -> None:
        Number(self.name, self.minimum, self.maximum).check(value)

    def pack(self, value: int) -> bytes:
        self.check(value)
        packed = bytearray()
        while value > 0x7F:
            packed.append(value & 0x7F | 0x80)
            value >>= 7
        packed.append(value)
        return bytes(packed)

    def unpack(self, data: bytes, position: int) -> tuple[int, int]:
        value = shift = 0
        while value <= self.maximum:
            byte = take(data, position, 1, self.name)[0]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if byte == 0 and shift > 7:
                    raise ValueError(f"{self.name} is not in its shortest form")
                self.check(value)
                return value, position
            if shift >= 35:
                break
        raise ValueError(f"{self.name} is over {self.maximum}")

    def show(self, value: int) -> str:
        return str(value)
