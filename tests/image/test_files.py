from __future__ import annotations

import errno
import fcntl
import gc
import os
import subprocess
import sys
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from random import Random
from time import sleep

import pytest
from PIL import Image

import cwic
from cwic.errors import InputError, LimitError, OutputExistsError
from cwic.image.files import (
    UNREAD,
    check_output,
    format_of_suffix,
    open_image,
    open_unread,
    read_bytes,
    remove_temporary,
    write_atomically,
)


def _png(image: Image.Image, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def test_read_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a") == b"abc"
    with pytest.raises(InputError, match="No such file"):
        read_bytes(tmp_path / "missing")
    with pytest.raises(InputError, match="directory"):
        read_bytes(tmp_path)


def test_open_image_keeps_the_pixels_as_they_are_in_the_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _png(Image.new("RGB", (3, 2)), exif=exif)
    assert open_image(data).size == (3, 2)
    (tmp_path / "a.png").write_bytes(data)
    assert open_image(tmp_path / "a.png").size == (3, 2)


def test_open_image_of_a_path_says_why_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the file: No such file"):
        open_image(tmp_path / "missing.png")
    with pytest.raises(InputError, match="cannot read the file: Is a directory"):
        open_image(tmp_path)


@pytest.mark.parametrize("data", [b"", b"no picture", _png(Image.effect_noise((64, 64), 50))[:1000]])
def test_open_image_refuses_what_is_no_whole_picture(data: bytes) -> None:
    with pytest.raises(InputError):
        open_image(data)


def test_open_image_refuses_decompression_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(LimitError):
        open_image(_png(Image.new("L", (100, 100))))


def test_an_unread_picture_is_refused_before_its_pixels_are_read() -> None:
    whole = _png(Image.effect_noise((64, 64), 50))
    with open_unread(whole[:1000]) as image:
        assert image.size == (64, 64)
    for data, reason in ((b"no picture", "not a picture"), (_png(Image.new("I;16", (9, 9))), "more than 8 bits")):
        with pytest.raises(InputError, match=reason):
            open_unread(data)


def test_write_creates_with_the_users_permissions(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "out", b"new")
    finally:
        os.umask(umask)
    assert (tmp_path / "out").read_bytes() == b"new"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["out"]


def test_write_replaces_only_with_force_and_keeps_permissions(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    out.chmod(0o600)
    with pytest.raises(OutputExistsError, match="-f"):
        write_atomically(out, b"new")
    assert out.read_bytes() == b"old"
    write_atomically(out, b"new", force=True)
    assert out.read_bytes() == b"new"
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    out = tmp_path / "out"
    out.write_bytes(b"old")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(failure)):
        write_atomically(out, b"new", force=True)
    assert out.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_write_follows_links(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_write_to_a_device_does_not_replace_it() -> None:
    write_atomically(os.devnull, b"gone")
    assert not Path(os.devnull).is_file()


def test_write_into_a_missing_folder_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "out", b"new")


def test_check_output_never_allows_the_input_or_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(b"photo")
    alias = tmp_path / "alias.png"
    alias.symlink_to(source)
    for output in (source, alias):
        with pytest.raises(InputError, match="input itself"):
            check_output(output, force=True, source=source)
    with pytest.raises(InputError, match="folder"):
        check_output(tmp_path, force=True)
    check_output(tmp_path / "new", force=False, source=source)


WRITE = """
import sys
from cwic.image.files import write_atomically
new = b"new" * 1_000_000
while True:
    write_atomically(sys.argv[1], new, force=True)
    print(flush=True)
"""


def test_a_killed_writer_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    out, random = tmp_path / "out", Random(0)
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    found = set()
    for _ in range(6):
        out.write_bytes(b"old")
        with subprocess.Popen([sys.executable, "-c", WRITE, out], env=paths, stdout=subprocess.PIPE) as process:
            if random.random() < 0.7:
                process.stdout.readline()
            sleep(random.uniform(0, 0.05))
            process.kill()
        found.add(out.read_bytes())
    assert found <= {b"old", b"new" * 1_000_000}


def test_metadata_that_pillow_fails_at_do_not_cost_the_picture(tmp_path: Path) -> None:
    data = _png(Image.effect_noise((64, 64), 50))
    bad = b"zTXtt\0\7x"
    data = data[:33] + (len(bad) - 4).to_bytes(4, "big") + bad + zlib.crc32(bad).to_bytes(4, "big") + data[33:]
    (tmp_path / "a.png").write_bytes(data)
    for source in (data, tmp_path / "a.png"):
        with open_unread(source) as image:
            assert image.size == (64, 64)
        image = open_image(source)
        assert getattr(image, UNREAD) == ["the chunk zTXt"]


def test_a_name_that_cannot_be_is_an_input_error() -> None:
    for reads in (read_bytes, open_image):
        with pytest.raises(InputError):
            reads("a\0.png")


def test_files_are_closed(tmp_path: Path) -> None:
    fine, deep, cut = (tmp_path / name for name in ("fine.gif", "deep.png", "cut.png"))
    Image.new("L", (9, 9)).save(fine)
    Image.new("I;16", (9, 9)).save(deep)
    Image.effect_noise((99, 99), 50).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cwic.encode(fine)
        for path in (deep, cut):
            with pytest.raises(InputError):
                cwic.encode(path)
        gc.collect()
    assert [str(warning.message) for warning in said] == []


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left, open_still = (tmp_path / f".cwic-{digit * 16}.tmp" for digit in "0a")
    others = [tmp_path / name for name in (".cwic-0.tmp", "a.tmp", f"x.cwic-{'0' * 16}.tmp")]
    for path in (left, open_still, *others):
        path.write_bytes(b"half")
    with open_still.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_temporary(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([open_still, *others])
    remove_temporary(tmp_path / "missing")


@pytest.mark.parametrize(
    ("suffix", "name"),
    [(".png", "PNG"), (".JPG", "JPEG"), (".webp", "WEBP"), (".tga", "TGA"), (".cwic.txt", None), ("", None)],
)
def test_a_suffix_tells_the_format(suffix: str, name: str | None) -> None:
    assert format_of_suffix(suffix) == name
