from __future__ import annotations

import pytest

from cwic.image.text import raw_profile


def text(data: bytes, kind: str = "exif") -> str:
    """As ImageMagick writes it: a name, a count, and lines of hexadecimal digits."""
    digits = data.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return f"\n{kind}\n{len(data):8}\n" + "\n".join(lines) + "\n"


def test_profiles_are_read() -> None:
    long = b"II*\0" + bytes(range(200))
    assert raw_profile("Raw profile type exif", text(long)) == ("exif", long)
    assert raw_profile("Raw profile type xmp", text(b"<x/>", "xmp")) == ("xmp", b"<x/>")
    assert raw_profile("raw profile type ICC", text(b"profile", "icc")) == ("icc", b"profile")
    assert raw_profile("Raw profile type APP1", text(b"Exif\0\0II*\0")) == ("exif", b"Exif\0\0II*\0")
    packet = b"http://ns.adobe.com/xap/1.0/\0<x/>"
    assert raw_profile("Raw profile type APP1", text(packet)) == ("xmp", b"<x/>")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Comment", text(b"II*\0")),
        ("Raw profile type iptc", text(b"8BIM")),
        ("Raw profile type APP1", text(b"noise")),
        ("Raw profile type exif", "\nexif\n 4\n4949"),
        ("Raw profile type exif", "\nexif\n 4\nno digits"),
        ("Raw profile type exif", "\nexif\n 0\n"),
        ("Raw profile type exif", ""),
    ],
)
def test_others_are_not(name: str, content: str) -> None:
    assert raw_profile(name, content) is None
