from __future__ import annotations

import logging
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

import cwic
from cwic.errors import FormatError, InputError, LimitError
from cwic.image.guard import errors_as_ours, one_line, quiet_pillow


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("two\nlines"),
        struct.error("short"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
        SyntaxError("broken"),
        KeyError(3),
        IndexError(),
        zlib.error("stream"),
        AssertionError(),
        OSError("truncated"),
        MemoryError(),
        OverflowError("large"),
        EOFError(),
    ],
)
def test_whatever_pillow_raises_is_an_input_error_of_one_line(error: Exception) -> None:
    with pytest.raises(InputError, match=r"^picture is damaged: .+$") as raised, errors_as_ours("picture is damaged"):
        raise error
    assert "\n" not in str(raised.value)
    assert one_line(error)


def test_errors_with_a_meaning_of_their_own() -> None:
    for error, type, reason in (
        (UnidentifiedImageError("cannot"), InputError, "not a picture"),
        (Image.DecompressionBombError("large."), LimitError, "large. Trusted files: --no-limits"),
        (FileNotFoundError(2, "No such file", "a.png"), InputError, "cannot read the file: No such file"),
        (FormatError("ours"), FormatError, "^ours$"),
    ):
        with pytest.raises(type, match=reason), errors_as_ours("picture is damaged"):
            raise error
    with pytest.raises(KeyboardInterrupt), errors_as_ours("picture is damaged"):
        raise KeyboardInterrupt


def test_pillows_own_warnings_are_kept_back() -> None:
    image = Image.new("L", (1, 1))
    image.info["exif"] = b"II*\0\xff\xff\xff\xff"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_pillow():
            assert not image.getexif()


def test_what_an_error_says_can_be_printed() -> None:
    assert one_line(ValueError("a\x1b[1m\nb\x00\u00e9")) == "a\\x1b[1m b\\x00\u00e9"


def test_what_pillow_logs_is_printed_where_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("PIL.Odd")
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # pytest's own
    try:
        with quiet_pillow():
            log.error("silent")
        log.error("as ever")
    finally:
        root.handlers = handlers
    assert capsys.readouterr().err == "as ever\n"
    with quiet_pillow():
        log.error("asked for")
    assert [record.message for record in caplog.records] == ["asked for"]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("strip", [False, True])
def test_a_closed_image_is_called_closed_and_not_damaged(
    tmp_path: Path, format: str, loaded: bool, strip: bool
) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "picture", format)
    image = Image.open(tmp_path / "picture")
    if loaded:
        image.load()
    image.close()
    with pytest.raises(InputError, match=r"^the image is closed, and its pixels cannot be read any more: encode it"):
        cwic.encode(image, strip=strip)


@pytest.mark.parametrize("strip", [False, True])
def test_an_image_whose_file_is_closed_is_closed_unless_it_was_read_before(tmp_path: Path, strip: bool) -> None:
    path = tmp_path / "picture.png"
    Image.new("L", (4, 4)).save(path)
    with path.open("rb") as file:
        unread = Image.open(file)
    with Image.open(path) as left:
        pass
    with Image.open(path) as read:
        read.load()
    for image in (unread, left):
        with pytest.raises(InputError, match=r"^the image is closed"):
            cwic.encode(image, strip=strip)
    assert cwic.encode(read, strip=strip) == cwic.encode(path, strip=strip)
