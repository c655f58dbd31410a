"""The commands with the real codec and the shipped weights."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import cwic
from cwic.plugin import register

Run = Callable[..., Any]
COFFEE = Path(__file__).parents[2] / "examples" / "coffee.png"


def test_a_photograph_to_a_small_file_and_back(run_cwic: Run, tmp_path: Path) -> None:
    coded, decoded = tmp_path / "coffee.cwic", tmp_path / "coffee.png"
    assert run_cwic("encode", COFFEE, "-o", coded).code == 0
    assert run_cwic("decode", coded).code == 0
    with Image.open(COFFEE) as original, Image.open(decoded) as picture:
        assert picture.size == original.size
        difference = np.asarray(original, np.float64) - np.asarray(picture, np.float64)
    assert coded.stat().st_size < COFFEE.stat().st_size / 8
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 26
    record = json.loads(run_cwic("info", "--json", coded).out)
    assert (record["model"], record["quality"], record["width"]) == ("cwic-s-eye", 50, 600)


def test_pipes_make_the_same_file_as_the_library(run_cwic: Run) -> None:
    answer = run_cwic("encode", "-", "-q", "30", stdin=COFFEE.read_bytes())
    assert answer.code == 0
    with Image.open(COFFEE) as image:
        assert answer.out == cwic.encode(image, quality=30)


def test_damage_has_its_exit_code_and_leaves_nothing(run_cwic: Run, tmp_path: Path) -> None:
    data = cwic.encode(Image.effect_noise((64, 64), 30))
    path = tmp_path / "a.cwic"
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert run_cwic("decode", path).code == 3
    assert not path.with_suffix(".png").exists()


def display_p3() -> bytes:
    """A small ICC profile with the primaries of Display P3 and a gamma of 2.2."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)

    def text(words: str) -> bytes:
        return (
            b"mluc\0\0\0\0"
            + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(words), 28)
            + words.encode("utf-16-be")
        )

    curve = b"para\0\0\0\0\0\0\0\0" + fixed(2.2)
    tags = {
        b"desc": text("Display P3"),
        b"cprt": text("none "),
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.96420, 1, 0.82491),
        b"rXYZ": b"XYZ \0\0\0\0" + fixed(0.51512, 0.24120, -0.00105),
        b"gXYZ": b"XYZ \0\0\0\0" + fixed(0.29198, 0.69225, 0.04189),
        b"bXYZ": b"XYZ \0\0\0\0" + fixed(0.15710, 0.06657, 0.78407),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    return head + bytes(28) + fixed(0.96420, 1, 0.82491) + bytes(48) + table + body


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_metadata_pass_through_byte_for_byte(run_cwic: Run, tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    icc, xmp = display_p3(), b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    assert ImageCms.getProfileDescription(ImageCms.getOpenProfile(BytesIO(icc))).startswith("Display P3")
    source, coded, decoded = tmp_path / "a.jpg", tmp_path / "a.cwic", tmp_path / f"b{suffix}"
    with Image.open(COFFEE) as photo:
        photo.convert("RGB").resize((60, 40)).save(source, exif=exif, icc_profile=icc, xmp=xmp)
    assert run_cwic("encode", source).code == 0
    answer = run_cwic("decode", coded, "-o", decoded)
    assert answer.code == 0
    assert "left out" not in answer.err
    with Image.open(source) as before, Image.open(decoded) as after:
        assert after.size == before.size == (60, 40)
        assert after.getexif()[0x0112] == 6
        for name in ("icc_profile", "exif", "xmp"):
            assert after.info[name].removeprefix(b"Exif\0\0") == before.info[name].removeprefix(b"Exif\0\0"), name
    with Image.open(coded.with_suffix(".jpg")) as again:
        register()
        again.save(tmp_path / "c.cwic")
    assert (tmp_path / "c.cwic").read_bytes() == coded.read_bytes()

    assert run_cwic("encode", source, "-f", "--strip").code == 0
    with Image.open(coded) as stripped:
        assert stripped.size == (40, 60)  # upright, since nothing says any more that it is not
        assert not set(stripped.info) & {"icc_profile", "exif", "xmp"}


def test_formats_that_cannot_hold_metadata_are_said(run_cwic: Run, tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 20))
    image.info["icc_profile"] = b"profile"
    (tmp_path / "a.cwic").write_bytes(cwic.encode(image))
    answer = run_cwic("decode", tmp_path / "a.cwic", "-o", tmp_path / "a.bmp")
    assert answer.code == 0
    assert "BMP cannot hold the ICC profile: left out" in answer.err


def test_targets_and_what_is_out_of_reach(run_cwic: Run, tmp_path: Path) -> None:
    with Image.open(COFFEE) as photo:
        photo.crop((100, 100, 228, 228)).save(tmp_path / "a.png")
    answer = run_cwic("encode", tmp_path / "a.png", "--target-bytes", 1000, "--json")
    assert answer.code == 0
    assert 900 < (tmp_path / "a.cwic").stat().st_size <= 1000
    assert 0 < json.loads(answer.out)["quality"] < 100
    answer = run_cwic("encode", tmp_path / "a.png", "--target-psnr", 95, "-f")
    assert answer.code == 5
    assert "95.00 dB is out of reach: this picture gets" in answer.err
    assert (tmp_path / "a.cwic").stat().st_size <= 1000


def test_crop_and_recover(run_cwic: Run, tmp_path: Path) -> None:
    with Image.open(COFFEE) as photo:
        data = bytearray(cwic.encode(photo.crop((0, 0, 600, 200)), tile=256, quality=20))
    path, output = tmp_path / "a.cwic", tmp_path / "a.png"
    data[-20] ^= 1
    path.write_bytes(data)
    assert run_cwic("decode", path).code == 3
    assert not output.exists()
    assert run_cwic("decode", path, "--crop", "10,20,30,40", "-j", 2).code == 0
    with Image.open(output) as image:
        assert image.size == (30, 40)
    answer = run_cwic("decode", path, "--recover", "-f")
    assert answer.code == 3
    assert f"the rest is in {output}; lost:\n  tile (column 2, row 0), x 512 to 599, y 0 to 199: " in answer.err
    with Image.open(output) as image:
        assert image.size == (600, 200)
        assert (np.asarray(image)[:, 512:] == 128).all()
    assert run_cwic("decode", path, "--crop", "10,20,3000,40", "-f").code == 1
    (tmp_path / "empty.cwic").touch()
    assert run_cwic("decode", tmp_path / "empty.cwic", "--crop", "0,0,1,1").code == 3


def test_a_file_that_was_cut_short_is_shown_and_named_once(run_cwic: Run, tmp_path: Path) -> None:
    with Image.open(COFFEE) as photo:
        data = cwic.encode(photo.crop((100, 60, 228, 188)))
    path, output = tmp_path / "a.cwic", tmp_path / "a.png"
    path.write_bytes(data[: len(data) * 6 // 10])
    assert run_cwic("decode", path).code == 3
    assert not output.exists()
    answer = run_cwic("decode", path, "--recover")
    assert answer.code == 3
    assert answer.err.count("tile (") == answer.err.count("cut short") == 1
    assert answer.err.rstrip().endswith(
        f"damaged, and the rest is in {output}; lost:\n"
        "  tile (column 0, row 0), x 0 to 127, y 0 to 127: cut short; shown from 2 of 4 passes"
    )
    with Image.open(output) as image:
        assert image.size == (128, 128)
        assert len(np.unique(image)) > 100
    path.write_bytes(data[:24])
    output.unlink()
    answer = run_cwic("decode", path, "--recover")
    assert (answer.code, answer.err.count("nothing can be recovered")) == (3, 1)
    assert not output.exists()


WORK = """
import pickle, sys
from io import BytesIO
from threading import Barrier, Thread
from PIL import Image
import cwic.CwicImagePlugin

start, loaded = Barrier(8), []
def load():
    start.wait()
    with Image.open(sys.argv[1]) as image:
        loaded.append(image.copy().tobytes())
threads = [Thread(target=load) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
image = Image.open(sys.argv[1])
assert loaded == [pickle.loads(pickle.dumps(image)).tobytes()] * 8
image.save(BytesIO(), "CWIC")
with open(sys.argv[1], "rb") as file:
    Image.open(file).load()
    assert not file.closed
"""


def test_eight_threads_at_once_leave_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "a.cwic").write_bytes(cwic.encode(Image.effect_noise((80, 60), 30)))
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", WORK, str(tmp_path / "a.cwic")]
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    process = subprocess.run(command, env=paths, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")


def test_a_device_that_is_not_here_is_one_line(run_cwic: Run, tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in pytest.importorskip("onnxruntime").get_available_providers():
        pytest.skip("there is a GPU")
    answer = run_cwic("encode", COFFEE, "-o", tmp_path / "a.cwic", "--device", "cuda")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "device cuda: " in answer.err


@pytest.mark.parametrize("part", ["g_a", "g_s", "h_a", "h_s", "total"])
def test_models_show_names_the_parts(run_cwic: Run, part: str) -> None:
    answer = run_cwic("models", "show", "cwic-s")
    assert answer.code == 0
    assert any(line.startswith(f"{part} ") for line in answer.out.decode().splitlines())


def test_a_small_picture(run_cwic: Run, tmp_path: Path) -> None:
    with Image.open(COFFEE) as photo:
        (tmp_path / "a.cwic").write_bytes(cwic.encode(photo.convert("RGB").crop((0, 0, 250, 170))))
    for args, size in ((["--scale", 8], (32, 22)), (["--scale", 16, "--crop", "20,40,33,33"], (3, 3))):
        answer = run_cwic("decode", tmp_path / "a.cwic", *args, "-o", tmp_path / "a.png", "-f")
        assert answer.code == 0
        with Image.open(tmp_path / "a.png") as image:
            assert image.size == size
        again = run_cwic("decode", tmp_path / "a.cwic", *args, "-o", tmp_path / "a.png", "--skip-existing", "--json")
        assert (again.code, json.loads(again.out)["skipped"]) == (0, True)
    assert run_cwic("decode", tmp_path / "a.cwic", "--scale", 4, "-f").code == 2
    assert run_cwic("decode", tmp_path / "a.cwic", "--scale", 8, "--recover", "-f").code == 2
