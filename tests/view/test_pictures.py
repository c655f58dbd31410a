from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.errors import InputError, ModelError
from cwic.view.pictures import Pictures, Settings

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture that lies on its side."""
    image = Image.radial_gradient("L").resize((96, 64)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "photo.png", exif=exif)
    return tmp_path / "photo.png"


def test_a_picture_of_the_same_name_is_the_original(photo: Path, tmp_path: Path) -> None:
    coded = tmp_path / "photo.cwic"
    coded.write_bytes(cwic.encode(photo, quality=20))
    (tmp_path / "other.png").write_bytes(photo.read_bytes())
    pictures = Pictures()
    pictures.open([str(photo), str(coded), str(GOLDEN / "cwic_s.cwic"), str(tmp_path / "other.png")])
    rows = pictures.rows()
    assert [(row["name"], row["original"]) for row in rows] == [
        ("photo.cwic", True),
        ("cwic_s.cwic", False),
        ("other.png", True),
    ]
    assert pictures.cwic(0) == coded.read_bytes()
    with pytest.raises(InputError, match="the original is not here"):
        pictures.original(1)
    with pytest.raises(InputError, match="no picture 3"):
        pictures.cwic(3)


def test_originals_are_encoded_and_stand_upright(photo: Path) -> None:
    pictures = Pictures()
    pictures.open([str(photo)])
    data = pictures.cwic(0)
    assert data == pictures.cwic(0)
    assert cwic.read_info(data).quality == 50
    assert cwic.read_info(pictures.cwic(0, Settings(10))).quality == 10
    with Image.open(io.BytesIO(pictures.original(0))) as image, Image.open(photo) as source:
        assert image.size == (64, 96)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(source.transpose(Image.Transpose.ROTATE_270)))


def test_measures(photo: Path) -> None:
    pictures = Pictures()
    pictures.open([str(photo)])
    ours = pictures.measure(0, Settings(80))
    assert ours["bytes"] == len(pictures.cwic(0, Settings(80)))
    assert ours["bpp"] == 8 * ours["bytes"] / (96 * 64)
    assert ours["psnr"] > 35
    assert ours["ssimulacra2"] is None  # for pictures this small it is not defined
    theirs = pictures.measure(0, Settings(80), "jpeg")
    assert theirs["bytes"] == len(pictures.other(0, "jpeg", Settings(80)).data)
    with pytest.raises(InputError, match="the format is one of jpeg, webp, avif"):
        pictures.other(0, "gif")


def test_another_picture_is_no_original(photo: Path, tmp_path: Path) -> None:
    pictures = Pictures()
    pictures.add("a.cwic", (GOLDEN / "cwic_s.cwic").read_bytes(), photo.read_bytes())
    with pytest.raises(InputError, match="it is another one"):
        pictures.measure(0)


def test_errors_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for name in ("text.png", "missing.cwic"):
        with pytest.raises(InputError, match=name):
            Pictures().open([str(tmp_path / name)])


def test_unknown_models(photo: Path) -> None:
    pictures = Pictures()
    pictures.open([str(photo)])
    with pytest.raises(ModelError):
        pictures.cwic(0, Settings(50, "nobody"))
