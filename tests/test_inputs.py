"""Pictures and files in every form in which programs hold them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.errors import InputError, ModelError
from cwic.plugin import register

COFFEE = Path(__file__).parents[1] / "examples" / "coffee.png"
READERS: tuple[Callable[[Any], object], ...] = (cwic.decode, cwic.recover, cwic.read_info)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    with Image.open(COFFEE) as image:
        return np.asarray(image.convert("RGB").crop((100, 100, 170, 150)))


@pytest.fixture(scope="module")
def data(pixels: np.ndarray) -> bytes:
    return cwic.encode(pixels)


@pytest.mark.parametrize("read", READERS)
def test_a_file_in_any_buffer_at_any_path_and_open(data: bytes, tmp_path: Path, read: Callable[[Any], object]) -> None:
    expected = read(data)
    spread = np.zeros(2 * len(data), np.uint8)
    spread[::2] = np.frombuffer(data, np.uint8)
    backwards = np.frombuffer(data[::-1], np.uint8)
    path = tmp_path / "photo.cwic"
    path.write_bytes(data)
    for source in (
        bytearray(data),
        memoryview(data),
        memoryview(data).cast("c"),
        memoryview(spread)[::2],
        spread[::2],
        backwards[::-1],
        np.frombuffer(data, np.int8),
        path,
        str(path),
        io.BytesIO(data),
    ):
        assert read(source) == expected
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as view:
        assert read(view) == expected
        assert read(file) == expected


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("source", [None, 7, [1, 2], Image.new("L", (2, 2)), io.StringIO("text"), "\x89CW\0", ""])
def test_other_things_are_refused_in_a_sentence(read: Callable[[Any], object], source: Any) -> None:
    with pytest.raises(InputError, match=r"expected the bytes|binary mode|taken for a path|name is empty"):
        read(source)


def test_a_picture_in_any_form(data: bytes, pixels: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    wide = np.zeros((100, 140, 3), np.uint8)
    wide[::2, ::2] = pixels
    png = path.read_bytes()
    for image in (
        path,
        str(path),
        io.BytesIO(png),
        png,
        bytearray(png),
        memoryview(pixels),
        wide[::2, ::2],
        pixels[::-1, ::-1].copy()[::-1, ::-1],
        np.asfortranarray(pixels),
        Image.fromarray(pixels),
    ):
        assert cwic.encode(image) == data
    with path.open("rb") as file:
        assert cwic.encode(file) == data
    assert cwic.encode(pixels[..., :1]) == cwic.encode(pixels[..., 0])


def test_a_tensor_is_a_picture(data: bytes, pixels: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    assert cwic.encode(torch.from_numpy(pixels.copy()).permute(2, 0, 1)) == data


def test_a_path_has_metadata(pixels: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif, icc_profile=b"profile")
    found = cwic.decode(cwic.encode(tmp_path / "photo.png"))
    assert found.info["icc_profile"] == b"profile"
    assert found.size == (70, 50)
    assert cwic.decode(cwic.encode(tmp_path / "photo.png", strip=True)).size == (50, 70)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "expected a Pillow image, a uint8 array, or a picture file.*not NoneType"),
        ([[1, 2]], "not list"),
        ("no such file.png", "cannot read the file: No such file"),
        ("", "cannot read the file: its name is empty"),
        ("\x89PNG\r\n\x1a\n\0", "a text is taken for a path"),
        ("\ud800", "a text is taken for a path"),
        (b"no picture", "not a picture"),
        (io.BytesIO(b"no picture"), "not a picture"),
        (io.StringIO("text"), "binary mode"),
        (np.zeros((4, 4, 3)), "holds float64: scale it to 0..255"),
        (np.zeros((3, 40, 50), np.uint8), "channels first"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(image: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cwic.encode(image)


def test_numbers_of_numpy_are_numbers(pixels: np.ndarray) -> None:
    expected = cwic.encode(pixels, quality=50, tile=128, jobs=1)
    assert cwic.encode(pixels, quality=np.uint8(50), tile=np.int64(128), jobs=np.int64(1)) == expected
    register()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "CWIC", quality=np.uint8(50), tile=np.int64(128), jobs=np.int64(1))
    assert file.getvalue() == expected
    assert cwic.decode(expected, crop=np.array([1, 2, 3, 4])).size == (3, 4)  # type: ignore[arg-type]
    assert cwic.encode(pixels, strip=np.True_) == cwic.encode(pixels)  # type: ignore[arg-type]


_WRONG: dict[str, tuple[Any, str]] = {
    "quality": ("50", "quality must be a number between 0 and 100, not '50'"),
    "target_bytes": (True, "target_bytes must be a number, not True"),
    "target_bpp": ([1], "target_bpp must be a number, not [1]"),
    "target_psnr": (1j, "target_psnr must be a number, not 1j"),
    "tile": (128.0, "tile must be a whole number of pixels, not 128.0"),
    "model": (
        b"cwic-s",
        "model must be a name that `cwic models list` shows, or the path of a weight file, not b'cwic-s'",
    ),
    "jobs": (1.5, "jobs must be a whole number, not 1.5"),
    "strip": (1, "strip must be True or False, not 1"),
    "robust": ("no", "robust must be True or False, not 'no'"),
    "device": (0, "device must be 'cpu' or 'cuda', not 0"),
    "limits": (100, "limits must be a cwic.Limits, not 100"),
    "metadata": ({}, "metadata must be a cwic.Metadata, not {}"),
    "crop": ((0, 0, 1.5, 1), "crop must be four whole numbers, left, top, width and height, not 1.5"),
}
_OF_ENCODE = [name for name in _WRONG if name != "crop"]
_OF_DECODE = ["model", "jobs", "device", "limits"]


@pytest.mark.parametrize("name", _OF_ENCODE)
def test_encode_says_what_an_argument_must_be(pixels: np.ndarray, name: str) -> None:
    value, sentence = _WRONG[name]
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        cwic.encode(pixels, **{name: value})


@pytest.mark.parametrize("name", [name for name in _OF_ENCODE if name not in ("device", "limits", "metadata")])
def test_the_plugin_says_the_same(pixels: np.ndarray, name: str) -> None:
    register()
    value, sentence = _WRONG[name]
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        Image.fromarray(pixels).save(io.BytesIO(), "CWIC", **{name: value})


def test_the_plugin_says_what_is_out_of_range(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    image = Image.fromarray(pixels)
    for option in ({"quality": 101}, {"quality": float("nan")}, {"jobs": 0}, {"target_bytes": -1}, {"tile": 100}):
        with pytest.raises(ValueError, match=next(iter(option))):
            image.save(io.BytesIO(), "CWIC", **option)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(OSError, match=r"3500 is over the limit max_pixels = 2000; .*Limits\(max_pixels=3500\)$"):
        image.save(io.BytesIO(), "CWIC")


def test_decode_recover_and_read_info_say_what_an_argument_must_be(data: bytes) -> None:
    ways = [(cwic.decode, [*_OF_DECODE, "crop"]), (cwic.recover, _OF_DECODE), (cwic.read_info, ["limits"])]
    for read, names in ways:
        for name in names:
            value, sentence = _WRONG[name]
            with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
                read(data, **{name: value})  # type: ignore[operator]


def test_arguments_of_the_right_type_that_name_nothing(data: bytes, pixels: np.ndarray) -> None:
    for name in ("", "other", "\0", "\0.safetensors"):
        for call, source in ((cwic.encode, pixels), (cwic.decode, data), (cwic.recover, data)):
            with pytest.raises(ModelError):
                call(source, model=name)  # type: ignore[operator]
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)  # a plain tile, for which no network runs
    for call, source in ((cwic.encode, noise), (cwic.decode, cwic.encode(noise))):
        with pytest.raises(InputError, match="device 'tpu': the networks run on cpu or cuda"):
            call(source, device="tpu")  # type: ignore[operator]
    for name in ("quality", "target_bytes", "target_bpp", "target_psnr"):
        with pytest.raises(ValueError, match=f"{name} must be"):
            cwic.encode(pixels, **{name: 10**400})
    with pytest.raises(TypeError, match="icc of metadata must be bytes, not 'icc'"):
        cwic.encode(pixels, metadata=cwic.Metadata(icc="icc"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="max_side must be a whole number, not '9'"):
        cwic.Limits(max_side="9")  # type: ignore[arg-type]


def test_a_model_may_be_a_path(pixels: np.ndarray, data: bytes) -> None:
    weights = Path(cwic.__file__).parent / "weights" / "cwic-s-eye.safetensors"
    assert cwic.encode(pixels, model=weights) == data
    assert cwic.decode(data, model=weights) == cwic.recover(data, model=weights).image == cwic.decode(data)


def test_a_file_open_for_writing_is_called_that(tmp_path: Path) -> None:
    with (tmp_path / "new").open("wb") as file:
        for call in (cwic.encode, *READERS):
            with pytest.raises(InputError, match=r"^the file is not open for reading: open it in binary mode"):
                call(file)  # type: ignore[operator]
