from __future__ import annotations

from xml.etree import ElementTree

import pytest

from cwic.image.xmp import extension_in, joined

GUID = b"0123456789ABCDEF0123456789ABCDEF"
PACKET = (
    b'<?xpacket begin="" id="W5"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="'
    + GUID
    + b'"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
EXTENSION = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:a="urn:a">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about=""><a:note>' + b"E" * 50 + b"</a:note></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def segments(extension: bytes, *, step: int = 64, guid: bytes = GUID) -> list[bytes]:
    """As a JPEG file keeps it, last part first."""
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid + len(extension).to_bytes(4, "big")
    parts = range(0, len(extension), step)
    return [head + at.to_bytes(4, "big") + extension[at : at + step] for at in reversed(parts)]


def test_parts_are_put_together_whatever_their_order() -> None:
    assert extension_in(segments(EXTENSION), PACKET) == EXTENSION
    others = segments(b"<other/>", guid=b"F" * 32)
    assert extension_in(others + segments(EXTENSION), PACKET) == EXTENSION
    assert extension_in([], b"<x/>") == b""
    assert extension_in([b"Exif\0\0"], b"<x/>") == b""


def test_what_is_not_whole_is_no_extension() -> None:
    parts = segments(EXTENSION)
    for broken in (parts[1:], parts[:-1], [], [*parts, parts[0]], [part[:60] for part in parts]):
        assert extension_in(broken, PACKET) is None
    assert extension_in(parts, b"<x/>") is None


def test_both_become_one_packet() -> None:
    whole = joined(PACKET, EXTENSION)
    assert whole is not None
    assert b"HasExtendedXMP" not in whole
    root = ElementTree.fromstring(whole)
    assert root.find(".//{urn:a}note").text == "E" * 50  # type: ignore[union-attr]
    assert len(root[0]) == 2


@pytest.mark.parametrize("extension", [b"", b"<x>no rdf</x>", EXTENSION.replace(b"</a:note>", b""), b"<!DOCTYPE a>"])
def test_what_does_not_fit_is_not_joined(extension: bytes) -> None:
    assert joined(PACKET, extension) is None
    assert joined(b"<x/>", EXTENSION) is None
