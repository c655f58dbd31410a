from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from cwic.image.gather import gather
from cwic.image.losses import LossWarning
from cwic.image.metadata import Metadata, metadata_of

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CMYK = SRGB[:16] + b"CMYK" + SRGB[20:]
BARE = b"II*\0"
ADOBE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


def reopened(format: str, mode: str = "RGB", **options: Any) -> Image.Image:
    file = BytesIO()
    Image.new(mode, (16, 16)).save(file, format, **options)
    image = Image.open(BytesIO(file.getvalue()))
    image.load()
    return image


def png_with(*chunks: tuple[bytes, bytes], mode: str = "RGB", **options: Any) -> Image.Image:
    file = BytesIO()
    Image.new(mode, (16, 16)).save(file, "PNG", **options)
    png = file.getvalue()
    more = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    image = Image.open(BytesIO(png[:33] + more + png[33:]))
    image.load()
    return image


def carrying(mode: str = "RGB", **info: Any) -> Image.Image:
    image = Image.new(mode, (4, 4))
    image.info.update(info)
    return image


def raw(data: bytes, kind: str) -> str:
    return f"\n{kind}\n{len(data):8}\n{data.hex()}\n"


@pytest.mark.parametrize(
    "info", [{}, {"exif": b""}, {"exif": None}, {"exif": BARE}, {"exif": 3 * b"Exif\0\0" + BARE}, {"xmp": "<x/>"}]
)
def test_nothing_is_said_of_what_is_kept(info: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metadata_of(carrying(**info))
    assert found.exif == (BARE if BARE in (info.get("exif") or b"") else b"")
    assert found.xmp == (b"<x/>" if "xmp" in info else b"")


@pytest.mark.parametrize(
    ("info", "lost"),
    [
        ({"exif": b"noise"}, "EXIF (it is damaged)"),
        ({"exif": bytes(10)}, "EXIF (it is damaged)"),
        ({"exif": "text"}, "EXIF (it is damaged)"),
        ({"icc_profile": 3}, "the ICC profile (it is damaged)"),
        ({"icc_profile": None}, "the ICC profile (it is damaged)"),
        ({"xmp": 3}, "XMP (it is damaged)"),
        ({"icc_profile": CMYK}, "the ICC profile (it is one for CMYK, not for RGB)"),
        ({"comment": b"x"}, "a comment (x)"),
        ({"comment": 3}, "a comment ()"),
        ({"photoshop": {1: b""}}, "Photoshop's resources, IPTC among them"),
        ({"gamma": 0.0}, "gAMA and cHRM"),
        ({"chromaticity": (0.1,)}, "gAMA and cHRM"),
    ],
)
def test_what_is_not_kept_is_named(info: dict[str, Any], lost: str) -> None:
    with pytest.warns(LossWarning) as said:
        assert metadata_of(carrying(**info)) == Metadata()
    assert [str(warning.message) for warning in said] == [f"left out: {lost}"]


def test_what_is_not_wanted_is_not_looked_at() -> None:
    image = carrying(exif=b"noise", icc_profile=CMYK, xmp=3)
    assert gather(image, ("icc", "exif", "xmp")) == ({"icc": b"", "exif": b"", "xmp": b""}, [])


@pytest.mark.parametrize(("mode", "kept"), [("RGB", True), ("RGBA", True), ("P", True), ("L", False), ("LA", False)])
def test_a_profile_goes_with_its_colours(mode: str, kept: bool) -> None:
    found, lost = gather(carrying(mode, icc_profile=SRGB))
    assert (found["icc"] == SRGB, bool(lost)) == (kept, not kept)


def test_bytes_that_are_no_profile_stay_as_they_are() -> None:
    assert gather(carrying(icc_profile=b"p")) == ({"icc": b"p", "exif": b"", "xmp": b""}, [])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_colours_that_a_png_tells_become_a_profile(mode: str) -> None:
    for chunks in (
        [(b"gAMA", struct.pack(">I", 100_000))],
        [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", ADOBE)],
        [(b"cICP", bytes([12, 13, 0, 1]))],
        [(b"cICP", bytes([12, 13, 0, 1])), (b"sRGB", b"\0")],
    ):
        found, lost = gather(png_with(*chunks, mode=mode))
        assert found["icc"][16:20] == (b"RGB " if mode == "RGB" else b"GRAY")
        assert lost == []
        ImageCms.ImageCmsProfile(BytesIO(found["icc"]))


def test_colours_as_usual_need_none() -> None:
    gamma = (b"gAMA", struct.pack(">I", 45455))
    for chunks in (
        [gamma],
        [gamma, (b"sRGB", b"\0")],
        [(b"cICP", bytes([1, 13, 0, 1]))],
        [(b"cHRM", ADOBE), (b"sRGB", b"\0")],
    ):
        assert gather(png_with(*chunks)) == ({"icc": b"", "exif": b"", "xmp": b""}, [])
    assert gather(png_with((b"gAMA", struct.pack(">I", 100_000)), icc_profile=SRGB))[0]["icc"] == SRGB


def test_cicp_goes_before_a_profile_where_it_can_be_told() -> None:
    for points, made in (((12, 13), True), ((1, 13), False)):
        found, lost = gather(png_with((b"cICP", bytes([*points, 0, 1])), icc_profile=SRGB))
        assert (bool(found["icc"]), found["icc"] == SRGB) == (made, False)
        assert lost == ["the ICC profile (cICP goes before it)"]
    found, lost = gather(png_with((b"cICP", bytes([9, 16, 0, 1])), icc_profile=SRGB))
    assert found["icc"] == SRGB
    assert lost == ["its colours (primaries 9, transfer 16 of H.273)"]


def test_colours_that_a_tiff_tells_become_a_profile() -> None:
    points = [value / 100_000 for value in struct.unpack(">8I", ADOBE)]
    usual = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
    for told, made in ((points, True), (usual, False)):
        found, lost = gather(reopened("TIFF", tiffinfo={318: tuple(told[:2]), 319: tuple(told[2:])}))
        assert (bool(found["icc"]), lost) == (made, [])
    assert gather(reopened("TIFF", tiffinfo={318: (0.0, 0.0), 319: (0.0,) * 6}))[1] == ["its calibrated colours"]


def test_metadata_in_the_resources_of_photoshop() -> None:
    def resource(number: int, data: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)

    resources = resource(1039, SRGB) + resource(1058, BARE) + resource(1060, b"<x/>") + resource(1028, b"iptc")
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 4, 4, 8, 3) + bytes(4)
    psd = head + struct.pack(">I", len(resources)) + resources + bytes(4) + bytes(2) + bytes(48)
    image = Image.open(BytesIO(psd))
    image.load()
    assert gather(image) == ({"icc": SRGB, "exif": BARE, "xmp": b"<x/>"}, ["IPTC"])


def test_colours_that_no_profile_tells_are_named() -> None:
    found, lost = gather(png_with((b"cICP", bytes([9, 16, 0, 1]))))
    assert found["icc"] == b""
    assert lost == ["its colours (primaries 9, transfer 16 of H.273)"]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP"])
def test_resolution_becomes_exif(format: str) -> None:
    found, lost = gather(reopened(format, dpi=(300, 300)))
    tags = Image.Exif()
    tags.load(found["exif"])
    assert (tags[282], tags[283], tags[296], lost) == (300, 300, 2, [])


def test_resolution_beside_exif() -> None:
    tags = Image.Exif()
    tags[271] = "maker"
    found, lost = gather(reopened("JPEG", dpi=(300, 300), exif=tags.tobytes()))
    assert found["exif"] == tags.tobytes().removeprefix(b"Exif\0\0")
    assert lost == ["the resolution (300 x 300 per inch)"]
    tags[282] = tags[283] = 300
    assert gather(reopened("JPEG", dpi=(300, 300), exif=tags.tobytes()))[1] == []


def test_metadata_in_texts_of_a_png() -> None:
    texts = PngInfo()
    texts.add_text("Raw profile type exif", raw(b"Exif\0\0" + BARE, "exif"), zip=True)
    texts.add_itxt("Raw profile type xmp", raw(b"<x/>", "xmp"))
    texts.add_text("Raw profile type icc", raw(SRGB, "icc"))
    assert gather(reopened("PNG", pnginfo=texts)) == ({"icc": SRGB, "exif": BARE, "xmp": b"<x/>"}, [])
    others = PngInfo()
    others.add_text("Author", "x")
    others.add_text("Raw profile type iptc", raw(b"8BIM", "iptc"))
    assert gather(reopened("PNG", pnginfo=others))[1] == ["texts (Author, Raw profile type iptc)"]


def test_extended_xmp() -> None:
    def segment(data: bytes) -> bytes:
        return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data

    rdf = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF>'
    guid = b"A" * 32
    packet = rdf % (b'<rdf:Description xmlns:xmpNote="urn:n" xmpNote:HasExtendedXMP="' + guid + b'"/>')
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    for extension, whole in ((rdf % b'<rdf:Description note="E"/>', True), (b"<x>E</x>", False)):
        head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(extension), 0)
        more = segment(b"http://ns.adobe.com/xap/1.0/\0" + packet) + segment(head + extension)
        jpeg = file.getvalue()
        found, lost = gather(Image.open(BytesIO(jpeg[:2] + more + jpeg[2:])))
        assert (b'note="E"' in found["xmp"]) == whole
        assert lost == ([] if whole else ["extended XMP"])


def test_parts_of_a_file_that_have_no_place_are_named() -> None:
    assert gather(png_with((b"caBX", b"x"), (b"vpAg", b"y")))[1] == ["chunks (caBX, vpAg)"]
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    jpeg = file.getvalue()
    for data, lost in ((b"JP\0\1", ["segments (APP11)"]), (b"JFXX\0", [])):
        image = Image.open(BytesIO(jpeg[:2] + b"\xff\xeb" + struct.pack(">H", len(data) + 2) + data + jpeg[2:]))
        assert gather(image)[1] == lost
    file = BytesIO()
    Image.new("L", (16, 16)).save(file, "GIF", comment=b"x")
    gif = file.getvalue()
    place = gif.index(b"!\xfe")
    image = Image.open(BytesIO(gif[:place] + b"!\xff\x0bXMP DataXMP\x04<x/>\0" + gif[place:]))
    assert gather(image)[1] == ["extensions (XMP DataXMP)", "a comment (x)"]


def test_names_of_programs_are_no_comments() -> None:
    for comment in (b"Created by OpenJPEG version 2.5.3", b"Created with GIMP", b"CREATOR: gd-jpeg v1.0 (using IJG)"):
        assert gather(carrying(comment=comment))[1] == []
    assert gather(reopened("JPEG2000"))[1] == []


def test_further_pictures_are_named() -> None:
    photo = Image.new("RGB", (16, 16))
    assert gather(reopened("MPO", save_all=True, append_images=[photo]))[1] == [
        "the further pictures of a multi-picture file"
    ]


def test_tiff_tags_that_pillow_cannot_write_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    image = reopened("TIFF", software="x")
    assert gather(image)[0]["exif"]

    def fail() -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(image, "getexif", fail)
    assert gather(image)[1] == ["EXIF (it is damaged)"]
