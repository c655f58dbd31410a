from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.image.metadata import Metadata
from cwic.image.picture import as_picture, to_pillow

RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def _reopened(image: Image.Image, format: str, **options: object) -> Image.Image:
    file = BytesIO()
    image.save(file, format, **options)
    return Image.open(BytesIO(file.getvalue()))


def test_rgb_and_grey_pass_unchanged() -> None:
    for pixels, mode in ((RGB, "RGB"), (RGB[:, :, 0], "L")):
        for given in (pixels, Image.fromarray(pixels)):
            picture = as_picture(given)
            assert (picture.mode, picture.height, picture.width) == (mode, 4, 5)
            np.testing.assert_array_equal(picture.pixels, pixels)
            np.testing.assert_array_equal(np.asarray(to_pillow(picture)), pixels)


def test_palette_becomes_rgb_and_bits_become_grey() -> None:
    exact = Image.fromarray(RGB).quantize(20)
    assert as_picture(exact).mode == "RGB"
    np.testing.assert_array_equal(as_picture(exact).pixels, np.asarray(exact.convert("RGB")))
    bits = Image.new("1", (3, 2), 1)
    assert as_picture(bits).mode == "L"
    assert (as_picture(bits).pixels == 255).all()


@pytest.mark.parametrize(
    ("mode", "advice"),
    [
        ("CMYK", "convert it to RGB"),
        ("I;16", "save it with 8 bits"),
        ("I", "save it with 8 bits"),
        ("F", "scale it to 0..255"),
        ("RGBa", r'image\.convert\("RGBA"\)'),
        ("La", r'image\.convert\("LA"\)'),
        ("LAB", "profileToProfile"),
        ("YCbCr", r'image\.convert\("RGB"\)'),
    ],
)
def test_other_modes_are_refused_with_advice(mode: str, advice: str) -> None:
    with pytest.raises(InputError, match=advice):
        as_picture(Image.new(mode, (3, 2)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_taken_apart_and_put_back(mode: str) -> None:
    pixels = np.arange(4 * 5 * len(mode), dtype=np.uint8).reshape(4, 5, len(mode))
    for given in (pixels, Image.fromarray(pixels)):
        picture = as_picture(given)
        assert (picture.full_mode, picture.mode) == (mode, mode[:-1])
        np.testing.assert_array_equal(picture.alpha, pixels[..., -1])
        np.testing.assert_array_equal(picture.pixels.reshape(4, 5, -1), pixels[..., :-1])
        back = to_pillow(picture)
        assert back.mode == mode
        np.testing.assert_array_equal(np.asarray(back), pixels)


@pytest.mark.parametrize(("mode", "full"), [("P", "RGBA"), ("L", "LA"), ("RGB", "RGBA"), ("1", "LA")])
def test_a_transparent_colour_becomes_alpha(mode: str, full: str) -> None:
    transparent = (0, 0, 0) if mode == "RGB" else 0
    image = _reopened(Image.new(mode, (3, 2)), "PNG", transparency=transparent)
    picture = as_picture(image)
    assert picture.full_mode == full
    assert picture.alpha is not None
    assert (picture.alpha == 0).all()


def test_metadata_go_to_where_pillow_keeps_them() -> None:
    image = to_pillow(as_picture(RGB), Metadata(icc=b"icc", xmp=b"<x/>"))
    assert image.info == {"icc_profile": b"icc", "xmp": b"<x/>"}


def test_16_bit_rgb_is_refused_though_pillow_would_reduce_it() -> None:
    # A 1x1 PNG of colour type 2 and bit depth 16, which Pillow opens as mode RGB.
    def chunk(type: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + type + data + struct.pack(">I", zlib.crc32(type + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(7))) + chunk(b"IEND", b"")
    image = Image.open(BytesIO(png))
    assert image.mode == "RGB"
    with pytest.raises(InputError, match="more than 8 bits"):
        as_picture(image)


def test_animation_is_refused() -> None:
    frames = [Image.new("L", (4, 4), level) for level in (0, 200)]
    image = _reopened(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="2 frames"):
        as_picture(image)


def test_multi_picture_jpeg_is_its_first_picture() -> None:
    photo = Image.fromarray(RGB)
    image = _reopened(photo, "MPO", save_all=True, append_images=[photo])
    assert image.format == "MPO"
    assert as_picture(image).mode == "RGB"


def test_truncated_file_is_refused() -> None:
    file = BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    image = Image.open(BytesIO(file.getvalue()[:1000]))
    with pytest.raises(InputError, match="damaged"):
        as_picture(image)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((2, 2, 3), np.float32), "float32"),
        (np.zeros((2, 2), np.uint16), "uint16"),
        (np.zeros((2, 2, 5), np.uint8), r"\[2, 2, 5\]"),
        (np.zeros((3, 7, 6), np.uint8), r"channels first, and np\.moveaxis\(pixels, 0, -1\) puts them last"),
        (np.zeros((1, 3, 7, 3), np.uint8), "one by one"),
        (np.zeros((2, 2), bool), "holds bool: multiply it by 255"),
        (np.zeros((2, 2), np.int64), "holds int64: scale it to 0..255 and convert it to uint8"),
        (np.zeros((2,), np.uint8), r"\[2\]"),
        (np.zeros((0, 2, 3), np.uint8), "no pixels"),
        ("photo.png", "expected a Pillow image or a uint8 array, not str"),
        (None, "not NoneType"),
        ([[0, 1], [2, 3]], "not list"),
    ],
)
def test_other_arrays_are_refused(pixels: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_picture(pixels)


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_arrays_of_any_strides(channels: int) -> None:
    shape = (9, 7, channels) if channels else (9, 7)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    wide = np.zeros((18, 21, *shape[2:]), np.uint8)
    wide[::2, ::3] = pixels
    plain = as_picture(pixels)
    assert plain.pixels.shape == ((9, 7, 3) if channels > 2 else (9, 7))
    for given in (
        wide[::2, ::3],
        np.ascontiguousarray(pixels[::-1, ::-1])[::-1, ::-1],
        np.asfortranarray(pixels),
        np.ma.masked_array(pixels),
    ):
        picture = as_picture(given)
        assert picture.full_mode == plain.full_mode
        np.testing.assert_array_equal(picture.pixels, plain.pixels)
        if plain.alpha is not None:
            np.testing.assert_array_equal(picture.alpha, plain.alpha)


class _OfAnotherPackage:
    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return RGB


def test_what_numpy_takes_for_an_array_is_one() -> None:
    np.testing.assert_array_equal(as_picture(_OfAnotherPackage()).pixels, RGB)


def test_tensors_have_their_channels_first() -> None:
    torch = pytest.importorskip("torch")
    for given in (torch.from_numpy(RGB).permute(2, 0, 1), torch.from_numpy(RGB.transpose(2, 0, 1).copy())):
        np.testing.assert_array_equal(as_picture(given).pixels, RGB)
    assert as_picture(torch.zeros(4, 5, 6, dtype=torch.uint8)).full_mode == "RGBA"
    assert as_picture(torch.zeros(1, 5, 6, dtype=torch.uint8)).pixels.shape == (5, 6)
    assert as_picture(torch.nn.Parameter(torch.zeros(5, 6, dtype=torch.uint8), requires_grad=False)).mode == "L"
    for wrong, message in (
        (torch.zeros(3, 5, 6), "holds torch.float32: scale it to 0..255 and convert it to torch.uint8"),
        (
            torch.zeros(5, 6, 3, dtype=torch.uint8),
            r"shape \[5, 6, 3\]: expected \[3, H, W\].*tensor\.permute\(2, 0, 1\) puts",
        ),
        (torch.zeros(1, 3, 5, 6, dtype=torch.uint8), "one by one"),
        (torch.zeros(3, 5, 6, dtype=torch.uint8, device="meta"), "no samples to read"),
    ):
        with pytest.raises(InputError, match=message):
            as_picture(wrong)


@pytest.mark.parametrize(
    ("mode", "value", "kind"),
    [("RGB", b"\1", "bytes"), ("L", (1, 2, 3), "tuple"), ("P", None, "NoneType"), ("1", "x", "str")],
)
def test_transparency_of_another_kind_of_picture_is_named(mode: str, value: object, kind: str) -> None:
    image = Image.new(mode, (4, 4))
    image.info["transparency"] = value
    with pytest.raises(
        InputError, match=rf"transparency.* is of type {kind}, which does not fit mode {mode}: delete it"
    ):
        as_picture(image)


def test_transparency_as_bytes_of_a_palette_and_as_a_colour_is_alpha() -> None:
    palette = Image.new("P", (2, 1))
    palette.putdata([0, 1])
    palette.info["transparency"] = b"\x07\xf0"
    colour = Image.new("RGB", (2, 1))
    colour.putpixel((1, 0), (1, 2, 3))
    colour.info["transparency"] = (1, 2, 3)
    for image, alpha in ((palette, [7, 240]), (colour, [255, 0])):
        found = as_picture(image).alpha
        assert found is not None
        assert found.tolist() == [alpha]
