from __future__ import annotations

from binascii import crc_hqx

import pytest

from cwic.entropy.checksum import symbol_crc
from cwic.libraries import LIBRARY_VARIABLE, NONE, usable


@pytest.mark.parametrize("way", [NONE, *usable()])
def test_symbol_crc(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, way)
    assert symbol_crc(b"123456789", 0) == 0x31C3  # the published check value of CRC-16/XMODEM
    assert symbol_crc(b"12", 0) != symbol_crc(b"12", 1)
    assert symbol_crc(b"", 0x12345) == 0x2345
    for size in range(40):
        symbols = bytes(n * 31 & 0xFF for n in range(size))
        assert symbol_crc(symbols, size) == crc_hqx(symbols, size)
