"""Lossy output formats of `cwic decode`: their quality, and the message about their loss."""

from __future__ import annotations

from typing import Any

GOOD = 95
"""The default quality, of 100, of a saved picture."""
_WITH_QUALITY: dict[str, dict[str, Any]] = {
    "JPEG": {"subsampling": "4:4:4"},
    "MPO": {"subsampling": "4:4:4"},
    "PDF": {"subsampling": "4:4:4"},
    "WEBP": {},
    "AVIF": {"subsampling": "4:4:4"},
}
_EXACT = frozenset(
    {"PNG", "TIFF", "BMP", "DIB", "PPM", "TGA", "PCX", "SGI", "IM", "QOI", "JPEG2000", "MSP", "XBM", "EPS"}
)


def has_quality(format: str) -> bool:
    """Return whether a format, by Pillow's name, has a quality setting."""
    return format in _WITH_QUALITY


def quality_options(format: str, quality: int | None) -> dict[str, Any]:
    """Return Pillow's options for saving in a format at a quality; empty for a format without a quality."""
    if not has_quality(format):
        return {}
    return {**_WITH_QUALITY[format], "quality": GOOD if quality is None else quality}


def loss_of(format: str, quality: int | None) -> str | None:
    """Return a message about the loss of a format; None if the format keeps every pixel."""
    if has_quality(format):
        value = f"quality {GOOD}, or as --output-quality says" if quality is None else f"quality {quality}"
        return f"{format} loses some of the picture: {value}; PNG loses nothing"
    return None if format in _EXACT else f"{format} may not keep every pixel; PNG does"
