from __future__ import annotations

import random
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

import cwic
from cwic.errors import CwicError, InputError, LimitError
from cwic.image import streamed
from cwic.image.files import open_image
from cwic.image.losses import LossWarning
from cwic.image.metadata import metadata_of
from cwic.image.streamed import Streamed, stream_picture

COFFEE = Path(__file__).parents[2] / "examples" / "coffee.png"
WIDTH, HEIGHT = 200, 150
ORIENTATION = 0x0112


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "LARGE", WIDTH * HEIGHT)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return path


def picture(mode: str = "RGB") -> Image.Image:
    image = Image.open(COFFEE).convert("RGB").crop((0, 0, WIDTH, HEIGHT)).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "camera"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    return exif


def same_as_whole(path: Path) -> bool:
    """Whether the picture is streamed; if it is, it must be what reading it whole gives."""
    found = stream_picture(path)
    if found is None:
        return False
    image = open_image(path)
    assert isinstance(found.pixels, np.memmap)
    np.testing.assert_array_equal(found.pixels, np.asarray(image))
    assert found.metadata == metadata_of(image)
    return True


def outcome(read: Callable[[], Any]) -> Any:
    """What a function gives, or the kind and the words of its error."""
    try:
        return read()
    except CwicError as error:
        return type(error), str(error)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.tif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.tif", {"compression": "tiff_adobe_deflate", "tiffinfo": {278: 16}}),
        ("a.tif", {"compression": "packbits"}),
    ],
)
def test_pixels_and_metadata_are_those_of_reading_whole(
    tmp_path: Path, mode: str, name: str, options: dict[str, Any]
) -> None:
    exif = {} if "tiffinfo" in options else {"exif": exif_of(1)}
    picture(mode).save(tmp_path / name, icc_profile=b"profile", **options, **exif)
    assert same_as_whole(tmp_path / name)


@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        ("RGB", "a.png", {}),
        ("L", "a.png", {}),
        ("RGBA", "a.png", {}),
        ("RGB", "a.tif", {"compression": "tiff_lzw"}),
        ("RGB", "interlaced.png", {}),
    ],
)
def test_files_are_the_same_as_without_streaming(tmp_path: Path, mode: str, name: str, options: dict[str, Any]) -> None:
    path = tmp_path / name
    if name == "interlaced.png":
        pyvips.Image.new_from_array(np.asarray(picture(mode))).pngsave(str(path), interlace=True)
    else:
        picture(mode).save(path, exif=exif_of(1), **options)
    found = stream_picture(path)
    assert found is not None
    whole = cwic.encode(open_image(path), tile=128)
    assert cwic.encode(found.pixels, metadata=found.metadata, tile=128) == whole


def test_a_png_file_keeps_its_orientation_unless_it_is_to_be_turned(tmp_path: Path) -> None:
    for orientation, turned in ((1, False), (6, True), (9, False)):
        picture().save(tmp_path / "a.png", exif=exif_of(orientation))
        assert same_as_whole(tmp_path / "a.png")
        assert (stream_picture(tmp_path / "a.png", upright=True) is None) == turned


def test_what_others_have_to_convert_is_for_others(tmp_path: Path) -> None:
    files: dict[str, dict[str, Any]] = {"turned.tif": {"exif": exif_of(6)}, "lossy.tif": {"compression": "jpeg"}}
    files |= {"keyed.png": {"transparency": (1, 2, 3)}}
    files |= {f"a.{suffix}": {} for suffix in ("jpg", "bmp", "webp", "gif", "avif", "jp2")}
    for name, options in files.items():
        picture().save(tmp_path / name, **options)
    picture("P").save(tmp_path / "palette.png")
    picture("1").save(tmp_path / "bilevel.tif", compression="group4")
    picture().resize((WIDTH, HEIGHT - 1)).save(tmp_path / "small.png")
    for name in [*files, "palette.png", "bilevel.tif", "small.png"]:
        assert not same_as_whole(tmp_path / name), name


def test_what_cwic_does_not_code_is_refused_as_ever(tmp_path: Path) -> None:
    Image.new("I;16", (WIDTH, HEIGHT)).save(tmp_path / "deep.png")
    Image.new("CMYK", (WIDTH, HEIGHT)).save(tmp_path / "inks.tif")
    picture().save(tmp_path / "pages.tif", save_all=True, append_images=[picture()])
    for name, reason in {"deep.png": "8 bits", "inks.tif": "CMYK", "pages.tif": "2 frames"}.items():
        with pytest.raises(InputError, match=reason):
            stream_picture(tmp_path / name)
    with pytest.raises(InputError, match="cannot read the file: No such file"):
        stream_picture(tmp_path / "missing.png")


def test_the_limit_comes_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT // 2 - 1)
    monkeypatch.setattr(streamed, "_decode", None)
    with pytest.raises(LimitError, match="--no-limits"):
        stream_picture(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    ("name", "options"), [("a.png", {}), ("a.tif", {}), ("a.tif", {"compression": "tiff_adobe_deflate"})]
)
def test_whatever_the_damage_the_outcome_is_that_of_reading_whole(
    tmp_path: Path, folder: Path, name: str, options: dict[str, Any]
) -> None:
    path, draw = tmp_path / name, random.Random(0)
    picture().resize((40, 30)).resize((WIDTH, HEIGHT)).save(path, exif=exif_of(1), **options)
    intact = path.read_bytes()
    for turn in range(60):
        data = bytearray(intact)
        place = draw.randrange(len(data))
        if turn % 2:
            del data[place:]
        else:
            data[place] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        streamed_or_why, whole_or_why = outcome(lambda: stream_picture(path)), outcome(lambda: open_image(path))
        if isinstance(streamed_or_why, Streamed):
            np.testing.assert_array_equal(streamed_or_why.pixels, np.asarray(whole_or_why))
        else:
            assert streamed_or_why in (None, whole_or_why)
            assert not list(folder.iterdir())


def test_exif_that_is_none_costs_no_picture(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png", exif=b"Exif\0\0nonsense")
    with pytest.warns(LossWarning, match="EXIF"):
        found = stream_picture(tmp_path / "a.png")
    assert found is not None
    assert found.metadata.exif == b""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stream_picture(tmp_path / "a.png", upright=True) is not None


def test_without_pyvips_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture().save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "pyvips", None)
    assert stream_picture(tmp_path / "a.png") is None


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError("No space left on device")])
def test_the_temporary_file_does_not_stay(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fetch(*_: object) -> bytes:
        assert not list(folder.iterdir())  # not even now, so that no kill leaves it behind
        raise failure

    picture().save(tmp_path / "a.png")
    monkeypatch.setattr(pyvips.Region, "fetch", fetch)
    if isinstance(failure, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            stream_picture(tmp_path / "a.png")
    else:
        assert stream_picture(tmp_path / "a.png") is None
    assert not list(folder.iterdir())


def test_the_users_folder_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(streamed, "_DISK", tmp_path)
    assert streamed._temporary_folder() is None
    monkeypatch.delenv("TMPDIR")
    assert streamed._temporary_folder() == tmp_path
    monkeypatch.setattr(streamed, "_DISK", tmp_path / "missing")
    assert streamed._temporary_folder() is None
