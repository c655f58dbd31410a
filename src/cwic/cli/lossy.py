"""Lossy output formats of `cwic decode`: their quality, and the message about their loss."""

from __future__ import annotations

from typing import Any

GOOD = 95
"""The quality, of 100, that a picture is saved with where nothing else is asked for."""
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
    """Return Pillow's options for a good picture in a format; empty for a format without a quality."""
    if not has_quality(format):
        return {}
    return {**_WITH_QUALITY[format], "quality": GOOD if quality is None else quality}


def loss_of(format: str, quality: int | None) -> str | None:
    """Describe what a format does to pixels; None if it keeps them."""
    if has_quality(format):
        value = GOOD if quality is None else quality
        return f"{format} loses some of the picture: quality {value}, or as --output-quality says; PNG loses nothing"
    return None if format in _EXACT else f"{format} may not keep every pixel; PNG does"
