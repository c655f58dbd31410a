"""Join extended XMP: a packet that a JPEG file stores in several segments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

_MARK = b"http://ns.adobe.com/xmp/extension/\0"
_GUID, _SIZES = 32, 8
_POINTER = re.compile(
    rb"""\s*xmpNote:HasExtendedXMP\s*=\s*(?:"[^"]*"|'[^']*')"""
    rb"|<xmpNote:HasExtendedXMP>[^<]*</xmpNote:HasExtendedXMP>"
)
_RDF = re.compile(rb"<rdf:RDF\b([^>]*)>(.*)</rdf:RDF\s*>", re.DOTALL)
_NAMESPACE = re.compile(rb"""xmlns:(\w+)\s*=\s*(?:"[^"]*"|'[^']*')""")


def extension_in(segments: Iterable[bytes], packet: bytes) -> bytes | None:
    """The extension of a packet, from the segments APP1 of a JPEG file: empty for none, None for one that is damaged.

    Extensions of other packets than the one at hand are passed over.
    """
    parts: dict[bytes, list[tuple[int, int, bytes]]] = {}
    for segment in segments:
        if segment.startswith(_MARK):
            data = segment[len(_MARK) :]
            guid, sizes = data[:_GUID], data[_GUID : _GUID + _SIZES]
            entry = int.from_bytes(sizes[:4], "big"), int.from_bytes(sizes[4:], "big"), data[_GUID + _SIZES :]
            parts.setdefault(guid, []).append(entry)
    if not parts:
        return None if b"HasExtendedXMP" in packet else b""
    named = [guid for guid in parts if guid in packet]
    if len(named) != 1:
        return None
    whole = b""
    entries = sorted(parts[named[0]], key=lambda entry: entry[1])
    for size, offset, data in entries:
        if offset != len(whole) or size != entries[0][0]:
            return None
        whole += data
    return whole if whole and len(whole) == entries[0][0] else None


def joined(packet: bytes, extension: bytes) -> bytes | None:
    """Both as one packet, which is what they are parts of. None where one of them is not as it should be."""
    inner, outer = _RDF.search(extension), _RDF.search(packet)
    if inner is None or outer is None or b"<!" in packet + extension:
        return None
    known = {match[1] for match in _NAMESPACE.finditer(packet[: outer.start(2)])}
    before = extension[: inner.start(2)]
    spaces = {match[1]: match[0] for match in _NAMESPACE.finditer(before) if match[1] not in known}
    attributes = outer[1] + b"".join(b" " + space for space in spaces.values())
    body = outer[2] + inner[2]
    whole = packet[: outer.start()] + b"<rdf:RDF" + attributes + b">" + body + b"</rdf:RDF>" + packet[outer.end() :]
    whole = _POINTER.sub(b"", whole)
    try:
        ElementTree.fromstring(whole.strip(b"\0 \n\r\t"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return whole
