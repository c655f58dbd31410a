"""Read the extensions of a GIF file that Pillow passes over: XMP, and text to be drawn on the picture."""

from __future__ import annotations

from typing import IO, Any, NamedTuple

from cwic.image.source import file_of

_XMP = b"XMP DataXMP"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_TRAILER = bytes([1, *range(255, -1, -1)])
"""Stands behind XMP, so that readers that know nothing of it find its end."""
_EXTENSION, _PICTURE = b"!", b","
_APPLICATION, _PLAIN_TEXT = 0xFF, 0x01


class Extensions(NamedTuple):
    """XMP, empty for none, and the names of what else there is."""

    xmp: bytes = b""
    others: tuple[str, ...] = ()


def extensions_of(image: Any) -> Extensions:
    """Return the extensions of a GIF file; nothing for other formats, and for files that are closed."""
    if image.format != "GIF":
        return Extensions()
    with file_of(image) as file:
        if file is None:
            return Extensions()
        try:
            return _found(file)
        except (OSError, ValueError, IndexError):
            return Extensions()


def _found(file: IO[bytes]) -> Extensions:
    file.seek(10)
    _skip_palette(file, file.read(3)[0])
    xmp, others = b"", []
    while True:
        kind = file.read(1)
        if kind == _PICTURE:
            _skip_palette(file, file.read(9)[8])
            file.read(1)
            _blocks(file)
        elif kind == _EXTENSION:
            label = file.read(1)[0]
            if label == _PLAIN_TEXT:
                others.append("plain text")
            if label != _APPLICATION:
                _blocks(file)
                continue
            name = file.read(file.read(1)[0])
            data = _blocks(file, whole=name == _XMP)
            if name == _XMP and data.endswith(_TRAILER):
                xmp = data.removesuffix(_TRAILER)
            elif name not in _LOOPS:
                others.append(name.decode("latin-1"))
        else:
            return Extensions(xmp, tuple(others))


def _skip_palette(file: IO[bytes], flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << (flags & 7) + 1, 1)


def _blocks(file: IO[bytes], *, whole: bool = False) -> bytes:
    """Past a row of blocks; what they hold, with the length of each as a byte before it, if `whole`."""
    data = bytearray()
    while (size := file.read(1)[0]) != 0:
        block = file.read(size)
        if whole:
            data += bytes([size]) + block
    return bytes(data)
