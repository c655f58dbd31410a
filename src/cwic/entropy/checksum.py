"""The checksum of a tile's symbols (docs/format.md, section 4)."""

from __future__ import annotations

from binascii import crc_hqx

from cwic.libraries import library


def symbol_crc(symbols: bytes, tile_index: int) -> int:
    """CRC-16 of a tile's symbols (int16, little-endian), begun with its index so that tiles cannot swap.

    In C where there is a library, which takes a sixth of the time and releases the interpreter.
    """
    start = tile_index & 0xFFFF
    found = library()
    if found is None:
        return crc_hqx(symbols, start)
    crc: int = found.symbols_crc(symbols, len(symbols), start)
    return crc
