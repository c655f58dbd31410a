"""Damaged files, made at random from good ones: what tests, benchmarks and fuzzers feed to the decoder."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable
from random import Random

from cwic.container.chunks import CRC_BYTES
from cwic.container.fields import Varint
from cwic.container.header import HEIGHT, MAX_BYTES, WIDTH, Header
from cwic.container.index import parse_head
from cwic.container.limits import NO_LIMITS
from cwic.errors import FormatError, ModelError

ALLOWED = (FormatError, ModelError)
"""All that decoding any bytes may raise; LimitError is a FormatError."""


def flip_bits(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """One to eight bits, anywhere."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, 8)):
        damaged[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def truncate(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """Any number of bytes lost at the end."""
    return data[: random.randrange(len(data))]


def splice(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """The start of one file and the end of another, or a piece of it put in between."""
    other = random.choice(others)
    cut, start, end = random.randrange(len(data)), random.randrange(len(other)), random.randrange(len(other))
    return data[:cut] + (other[start:] if random.random() < 0.5 else other[min(start, end) : end] + data[cut:])


def change_length(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """A chunk that says it has another length."""
    _, position = Header.unpack(data)
    spans = []
    while position < len(data):
        spans.append(parse_head(data, position, len(data)))
        position = spans[-1].end + CRC_BYTES
    span = random.choice(spans)
    length = Varint("length").pack(min(_number(random), (1 << 31) - 1))
    return data[: span.offset + 1] + length + data[span.start :]


def change_dimensions(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """A header with another width or height, and checksums that agree with it, so that it is believed."""
    header, position = Header.unpack(data)
    sides = {field.name: getattr(header, field.name) for field in (WIDTH, HEIGHT)}
    for name in random.sample(sorted(sides), random.randint(1, 2)):
        sides[name] = random.choice([_number(random), max(1, sides[name] + random.randint(-70, 70))])
    changed = data[:4] + data[4:10] + WIDTH.pack(sides["width"]) + HEIGHT.pack(sides["height"]) + data[position:]
    return resealed(changed)


def flip_and_reseal(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """One to four bits after the model id, with checksums that agree: damage that only the decoder can find."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, 4)):
        damaged[random.randrange(8, len(data))] ^= 1 << random.randrange(8)
    return resealed(bytes(damaged))


MUTATIONS: list[Callable[[bytes, Random, list[bytes]], bytes]] = [
    flip_bits,
    truncate,
    splice,
    change_length,
    change_dimensions,
    flip_and_reseal,
]


def resealed(data: bytes) -> bytes:
    """The file with the checksums of all chunks that can be found made right."""
    damaged = bytearray(data)
    try:
        _, position = Header.unpack(data[:MAX_BYTES], NO_LIMITS)
        header_crc = crc32(data[:position])
        while position < len(damaged):
            span = parse_head(data, position, len(data))
            crc = crc32(data[span.offset : span.end], header_crc)
            damaged[span.end : span.end + CRC_BYTES] = crc.to_bytes(CRC_BYTES, "little")
            position = span.end + CRC_BYTES
    except FormatError:
        pass
    return bytes(damaged)


def outcome(work: Callable[[bytes], object], data: bytes) -> str:
    """`decoded`, or the name of the allowed error that `work` ended in. Any other error is raised."""
    try:
        work(data)
    except ALLOWED as error:
        return type(error).__name__
    return "decoded"


def _number(random: Random) -> int:
    """From 1 to 2^31 - 1, small ones as likely as large ones."""
    return random.randint(1, (1 << random.randint(1, 31)) - 1) or 1
