from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cwic.cli.whole import is_whole_file, is_whole_picture
from cwic.container import DEFAULT_LIMITS, TILE, Chunk, Header, Limits, pack_tile, write_container
from cwic.container.header import VERSION
from cwic.errors import InputError, LimitError, NewerFormatError, OutputExistsError

DATA = write_container(Header(b"fake", 30, 20, "RGB", 500), [Chunk(TILE, pack_tile(0, b"data"))])


def test_a_file_is_whole_if_its_checksums_are_right(tmp_path: Path) -> None:
    path = tmp_path / "a.cwic"
    path.write_bytes(DATA)
    assert is_whole_file(path, DEFAULT_LIMITS)
    damaged = bytearray(DATA)
    damaged[-6] ^= 1
    for data in (DATA[:-1], DATA + b"x", b"", b"text", bytes(damaged), bytes(len(DATA))):
        path.write_bytes(data)
        assert not is_whole_file(path, DEFAULT_LIMITS)


def test_what_is_not_known_to_be_damaged_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.cwic"
    path.write_bytes(DATA[:3] + bytes([VERSION + 1]) + DATA[4:])
    with pytest.raises(NewerFormatError):
        is_whole_file(path, DEFAULT_LIMITS)
    path.write_bytes(DATA)
    with pytest.raises(LimitError):
        is_whole_file(path, Limits(max_pixels=10))
    with pytest.raises(InputError):
        is_whole_file(tmp_path, DEFAULT_LIMITS)
    with pytest.raises(InputError):
        is_whole_picture(tmp_path / "missing.png", (30, 20))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_a_picture_is_whole_if_all_of_it_can_be_read(tmp_path: Path, format: str) -> None:
    path = tmp_path / "a"
    Image.effect_noise((30, 20), 50).save(path, format)
    data = path.read_bytes()
    assert is_whole_picture(path, (30, 20))
    assert is_whole_picture(path, (20, 30))  # turned by its EXIF
    for part in (data[:-20], data[:100], data[:5], b""):
        path.write_bytes(part)
        assert not is_whole_picture(path, (30, 20))


def test_a_changed_byte_of_a_png_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((30, 20), 50).save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert not is_whole_picture(path, (30, 20))


def test_a_whole_picture_of_another_size_is_another_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(path)
    with pytest.raises(OutputExistsError, match="another picture, 30x20, not 31x20"):
        is_whole_picture(path, (31, 20))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(LimitError):
        is_whole_picture(path, (30, 20))
