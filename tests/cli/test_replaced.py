from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cwic.cli.job import UsageError
from cwic.cli.replaced import check_no_picture
from cwic.container.header import MAGIC
from cwic.errors import InputError


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF"])
@pytest.mark.parametrize("force", [False, True])
def test_a_picture_is_never_replaced(tmp_path: Path, format: str, force: bool) -> None:
    target = tmp_path / f"photo.{format}"
    Image.new("RGB", (8, 8)).save(target, format)
    with pytest.raises(InputError, match="never replace"):
        check_no_picture(target, force=force)
    if format != "BMP":  # whose two letters begin many a text
        with pytest.raises(InputError, match="never replace"):
            check_no_picture(target.rename(tmp_path / "noname"), force=force)


def test_the_name_of_a_picture_needs_force(tmp_path: Path) -> None:
    for name in ("a.png", "a.PNG", "a.jpeg", "a.tif", "a.CR2"):
        with pytest.raises(UsageError, match="-f"):
            check_no_picture(tmp_path / name, force=False)
        check_no_picture(tmp_path / name, force=True)
    for name in ("a.cwic", "a", "a.bin"):
        check_no_picture(tmp_path / name, force=False)


def test_coded_bytes_and_other_files_are_as_ever(tmp_path: Path) -> None:
    for name, data in (("a.png", MAGIC + b"..."), ("b.cwic", b"old"), ("c", b"BM, a text"), ("d.png", b"")):
        (tmp_path / name).write_bytes(data)
        check_no_picture(tmp_path / name, force=True)
    (tmp_path / "raw.jpg").write_bytes(b"not known by its first bytes")
    with pytest.raises(InputError):
        check_no_picture(tmp_path / "raw.jpg", force=True)
