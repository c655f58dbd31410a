from __future__ import annotations

import copy
import pickle
import struct
import subprocess
import sys
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import NO_LIMITS, Limits
from cwic.plugin import register

pytestmark = pytest.mark.usefixtures("fake_codec")

PHOTO = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8))


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_save_and_open(tmp_path: Path, mode: str) -> None:
    photo = PHOTO.convert(mode)
    photo.save(tmp_path / "photo.cwic", quality=60)
    with Image.open(tmp_path / "photo.cwic") as image:
        assert (image.format, image.mode, image.size) == ("CWIC", mode, (50, 40))
        assert image.get_format_mimetype() == "image/x-cwic"
        assert image.info["quality"] == 60
        assert image.tobytes() == photo.tobytes()
        assert image.resize((5, 4)).size == (5, 4)


def test_open_reads_the_header_only(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _saved()
    monkeypatch.setattr(cwic, "decode", lambda *_, **__: pytest.fail("decoded on opening"))
    assert Image.open(BytesIO(data)).size == (50, 40)


def test_pillow_checks_for_bombs_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _saved()
    monkeypatch.setattr(cwic, "decode", lambda *_, **__: pytest.fail("decoded a bomb"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(data))


def test_damage_is_an_oserror_from_path_bytes_and_handle(tmp_path: Path) -> None:
    data = bytearray(_saved())
    data[-8] ^= 1  # in the last tile: metadata are read on opening
    path = tmp_path / "broken.cwic"
    path.write_bytes(data)
    with path.open("rb") as handle:
        for source in (path, BytesIO(data), handle):
            with Image.open(source) as image, pytest.raises(OSError, match="damaged"):
                image.load()
    with pytest.raises(OSError, match="cut short"):
        Image.open(BytesIO(data[:9]))


def test_bad_model_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unknown model"):
        PHOTO.save(tmp_path / "photo.cwic", model="other")
    assert not (tmp_path / "photo.cwic").exists()


@pytest.mark.parametrize(
    "option",
    [
        {"exif": b"noise"},
        {"exif": np.int8(1)},
        {"xmp": 3},
    ],
)
def test_bad_options_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        PHOTO.save(BytesIO(), "CWIC", **option)


def _with_metadata() -> Image.Image:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = PHOTO.copy()
    image.info |= {"icc_profile": b"profile", "exif": exif.tobytes(), "xmp": b"<x/>"}
    return image


def test_metadata_are_kept_and_known_before_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    image = _with_metadata()
    data = _saved(image)
    with monkeypatch.context() as patch:
        patch.setattr(cwic, "decode", lambda *_, **__: pytest.fail("decoded on opening"))
        opened = Image.open(BytesIO(data))
        assert opened.info == image.info | {"quality": 50}
        assert opened.getexif()[0x0112] == 6
    assert opened.size == image.size
    opened.load()
    assert _saved(opened) == data


def test_given_metadata_take_the_place_of_those_of_the_image() -> None:
    image = _with_metadata()
    info = Image.open(BytesIO(_saved(image, exif=None, xmp=b"<y/>"))).info
    assert info == {"icc_profile": b"profile", "xmp": b"<y/>", "quality": 50}
    assert Image.open(BytesIO(_saved(image, strip=True))).info == {"quality": 50}


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("strip", [False, True])
def test_what_pillow_would_reduce_is_refused(tmp_path: Path, strip: bool, loaded: bool) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    deep = head + chunk(b"IDAT", zlib.compress(bytes(7))) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(deep)
    PHOTO.save(tmp_path / "moving.gif", save_all=True, append_images=[PHOTO.rotate(180)])
    PHOTO.convert("CMYK").save(tmp_path / "print.jpg")
    for source, reason in (
        (tmp_path / "deep.png", "more than 8 bits"),
        (BytesIO(deep), "more than 8 bits"),
        (tmp_path / "moving.gif", "2 frames"),
        (tmp_path / "print.jpg", "is CMYK"),
    ):
        with Image.open(source) as image:
            if loaded:
                image.load()
            with pytest.raises(OSError, match=reason):
                _saved(image, strip=strip)


@pytest.mark.parametrize("exif", [bytes(10), b"Exif\0\0II*\0", 2 * b"Exif\0\0" + b"II*\0", b"Exif\0\0noise"])
def test_exif_that_is_none_does_not_cost_the_picture(exif: bytes) -> None:
    image = PHOTO.copy()
    image.info["exif"] = exif
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({"strip": True}, {"exif": b""}, {"exif": None}):
            assert "exif" not in Image.open(BytesIO(_saved(image, **options))).info
        warnings.simplefilter("default")
        kept = Image.open(BytesIO(_saved(image))).info.get("exif", b"")
    assert kept == (b"Exif\0\0II*\0" if b"II*" in exif else b"")


def test_damaged_metadata_are_found_on_opening() -> None:
    data = bytearray(_saved(_with_metadata()))
    data[20] ^= 1
    with pytest.raises(OSError, match="damaged"):
        Image.open(BytesIO(data))


@pytest.mark.parametrize("loaded", [False, True])
def test_a_pickled_image_has_its_pixels(tmp_path: Path, loaded: bool) -> None:
    PHOTO.save(tmp_path / "photo.cwic")
    with Image.open(tmp_path / "photo.cwic") as image:
        if loaded:
            image.load()
        copy = pickle.loads(pickle.dumps(image))
    assert copy.tobytes() == PHOTO.tobytes()
    assert copy.resize((5, 4)).size == (5, 4)


def test_copies_have_the_pixels() -> None:
    for make in (Image.Image.copy, copy.copy, copy.deepcopy):
        made = make(Image.open(BytesIO(_saved())))
        assert made.tobytes() == PHOTO.tobytes()
        made.verify()


def test_verify_finds_damage_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cwic, "decode", lambda *_, **__: pytest.fail("decoded to verify"))
    data = _saved()
    path = tmp_path / "photo.cwic"
    path.write_bytes(data)
    for source in (path, BytesIO(data)):
        image = Image.open(source)
        image.verify()
        with pytest.raises(RuntimeError, match="directly after open"):
            image.verify()
        with pytest.raises(ValueError, match="closed image"):
            image.load()
    damaged = bytearray(data)
    damaged[-9] ^= 4
    for wrong in (bytes(damaged), data[: len(data) // 2], data + b"x"):
        with Image.open(BytesIO(wrong)) as image, pytest.raises(OSError, match=r"damaged|cut short|follow"):
            image.verify()


def test_a_closed_image_is_one_as_in_all_of_pillow(tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "photo.cwic")
    PHOTO.save(tmp_path / "photo.png")
    for name in ("photo.cwic", "photo.png"):
        for early in (True, False):
            image = Image.open(tmp_path / name)
            if early:
                image.load()
            image.close()
            with pytest.raises(ValueError, match="Operation on closed image"):
                image.load()
        with Image.open(tmp_path / name) as image:
            image.load()
        assert image.getpixel((0, 0)) == PHOTO.getpixel((0, 0))
    with Image.open(tmp_path / "photo.cwic") as image:
        pass
    with pytest.raises(ValueError, match="closed image: its pixels were not read before"):
        image.tobytes()


def test_pillows_limit_is_that_of_the_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def keep(data: bytes, *, limits: Limits, **others: int) -> Image.Image:
        seen.append(limits.max_pixels)
        return PHOTO

    data = _saved()
    monkeypatch.setattr(cwic, "decode", keep)
    for pixels in (3000, 3000.0, None):  # thumbor sets a float
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
        Image.open(BytesIO(data)).load()
    assert seen == [6000, 6000, NO_LIMITS.max_pixels]


def test_importing_the_plugin_module_registers_it() -> None:
    root = Path(__file__).parents[1]
    script = (
        f"import sys; sys.path.insert(0, {str(root / 'src')!r})\n"
        "from PIL import Image; import cwic.CwicImagePlugin\n"
        "assert Image.registered_extensions()['.cwic'] == 'CWIC' and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def _saved(image: Image.Image = PHOTO, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "CWIC", **options)
    return file.getvalue()
