"""Which files of a folder are pictures, and what a folder without any says."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.image.folder import picture_files, read_picture


def test_pictures_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.JPG", "b/a.png", "notes.txt", "a.webp"):
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in picture_files(tmp_path)] == ["a.webp", "b/a.png", "c.JPG"]


def test_a_folder_without_pictures_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=tmp_path.name):
        picture_files(tmp_path)


def test_a_picture_is_read_as_it_would_be_coded(tmp_path: Path) -> None:
    Image.new("P", (5, 3)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").pixels.shape == (3, 5, 3)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        read_picture(tmp_path / "b.png")


def test_a_picture_with_alpha_is_no_test_picture(tmp_path: Path) -> None:
    Image.new("LA", (5, 3)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="transparency"):
        read_picture(tmp_path / "a.png")
