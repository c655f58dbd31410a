"""Explain from its first bytes why Pillow cannot read a file, and name a way round."""

from __future__ import annotations

import re

from cwic.container.header import MAGIC

HEAD_BYTES = 64
_KNOWN = {
    re.escape(MAGIC): "it is a .cwic file already: cwic decode makes a picture of it",
    rb"MM\0\+": "it is a big-endian BigTIFF, which Pillow cannot read: make it little-endian first, as tiffcp -L does",
    rb"\xff\x0a|\0\0\0\x0cJXL ": "it is JPEG XL, which Pillow cannot read: convert it to PNG first, as djxl does",
    rb"....ftyp(hei|hev|mif|msf)": "it is HEIF, which Pillow cannot read by itself: convert it to PNG first",
    rb"....ftypcrx|FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\0": "it is a raw photograph: develop it first, to PNG",
    rb"%PDF|%!PS": "it is a document: save the picture in it as PNG first",
    rb"\s*<(\?xml|svg|!DOCTYPE)": "it is a text that describes a picture or a page: save it as PNG first",
}
_READ = {
    rb"\x89PNG": "PNG",
    rb"\xff\xd8\xff": "JPEG",
    rb"GIF8": "GIF",
    rb"BM": "BMP",
    rb"II[*+]\0|MM\0\*": "TIFF",
    rb"RIFF....WEBP": "WebP",
    rb"....ftyp": "AVIF",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "JPEG 2000",
    rb"P[1-7]\s": "PNM",
    rb"8BPS": "PSD",
}


def why_unreadable(head: bytes) -> str:
    """A sentence on the file that begins so."""
    if not head:
        return "the file is empty"
    for pattern, reason in _KNOWN.items():
        if re.match(pattern, head, re.DOTALL):
            return reason
    for pattern, format in _READ.items():
        if re.match(pattern, head, re.DOTALL):
            return f"picture is damaged: it begins as {format}, and Pillow cannot read on"
    return "not a picture of a format that Pillow reads"
