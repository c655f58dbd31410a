from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cwic
from cwic.container import DEFAULT_LIMITS, NO_LIMITS, Limits

pytestmark = pytest.mark.usefixtures("fake_codec")
Run = Callable[..., Any]
PHOTO = Image.effect_noise((30, 20), 50).convert("RGB")


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    path = tmp_path / "photo.cwic"
    path.write_bytes(cwic.encode(PHOTO))
    return path


def test_output_is_a_png_beside_the_input(run_cwic: Run, coded: Path) -> None:
    answer = run_cwic("decode", coded)
    output = coded.with_suffix(".png")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.decode().startswith(f"{coded} -> {output}  30x20  RGB")
    with Image.open(output) as image:
        assert image.format == "PNG"
        assert image.tobytes() == PHOTO.tobytes()


def test_the_name_chooses_the_format(run_cwic: Run, coded: Path) -> None:
    assert run_cwic("decode", coded, "-o", coded.with_name("a.BMP")).code == 0
    with Image.open(coded.with_name("a.BMP")) as image:
        assert image.format == "BMP"
    for name in ("a.xyz", "a"):
        answer = run_cwic("decode", coded, "-o", coded.with_name(name))
        assert answer.code == 2
        assert not coded.with_name(name).exists()


def test_pipes(run_cwic: Run, coded: Path) -> None:
    answer = run_cwic("decode", "-", "--json", stdin=coded.read_bytes())
    assert answer.code == 0
    assert Image.open(io.BytesIO(answer.out)).tobytes() == PHOTO.tobytes()
    assert json.loads(answer.err)["output"] == "-"


def test_existing_output_needs_force(run_cwic: Run, coded: Path) -> None:
    coded.with_suffix(".png").write_bytes(b"old")
    assert run_cwic("decode", coded).code == 6
    assert coded.with_suffix(".png").read_bytes() == b"old"
    assert run_cwic("decode", coded, "-f").code == 0


def test_damaged_and_foreign_files(run_cwic: Run, coded: Path) -> None:
    data = coded.read_bytes()
    broken, foreign = coded.with_name("broken.cwic"), coded.with_name("foreign.cwic")
    broken.write_bytes(data[:-1])
    foreign.write_bytes(b"no cwic file")
    answer = run_cwic("decode", broken, foreign, coded)
    assert answer.code == 3
    assert len(answer.err.splitlines()) == 2
    assert sorted(path.name for path in coded.parent.glob("*.png")) == ["photo.png"]
    assert run_cwic("decode", coded.with_name("missing.cwic")).code == 1


@pytest.mark.parametrize("options", [("--crop", "1,2,3"), ("--crop", "1,2,3,-4"), ("--crop", "0,0,1,1", "--recover")])
def test_wishes_that_cannot_be(run_cwic: Run, coded: Path, options: tuple[str, ...]) -> None:
    assert run_cwic("decode", coded, *options).code == 2
    assert not coded.with_suffix(".png").exists()


def test_the_device_reaches_the_codec(run_cwic: Run, coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    plain = cwic.decode
    monkeypatch.setattr(cwic, "decode", lambda data, **options: seen.append(options["device"]) or plain(data))
    monkeypatch.setattr(
        cwic, "recover", lambda data, **options: cwic.Recovered(seen.append(options["device"]) or plain(data), [])
    )
    assert run_cwic("decode", coded).code == 0
    assert run_cwic("decode", coded, "-f", "--device", "cuda").code == 0
    assert run_cwic("decode", coded, "-f", "--device", "cuda", "--recover").code == 0
    assert run_cwic("decode", coded, "-f", "--device", "tpu").code == 2
    assert seen == ["cpu", "cuda", "cuda"]


def test_limits_are_lifted_for_trusted_files(run_cwic: Run, coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Limits] = []
    plain = cwic.decode
    monkeypatch.setattr(cwic, "decode", lambda data, **options: seen.append(options["limits"]) or plain(data))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    assert run_cwic("decode", coded).code == 0
    assert run_cwic("decode", coded, "-f", "--no-limits").code == 0
    assert seen == [DEFAULT_LIMITS, NO_LIMITS]


def test_exif_that_is_none_does_not_cost_the_picture(run_cwic: Run, coded: Path) -> None:
    coded.write_bytes(cwic.encode(PHOTO, metadata=cwic.Metadata(exif=b"noise")))
    answer = run_cwic("decode", coded)
    assert answer.code == 0
    assert answer.err.endswith("PNG cannot hold EXIF: left out\n")
    with Image.open(coded.with_suffix(".png")) as image:
        assert image.tobytes() == PHOTO.tobytes()


def test_a_format_with_loss_is_good_by_default_and_says_what_it_loses(run_cwic: Run, coded: Path) -> None:
    good, small = coded.with_name("good.jpg"), coded.with_name("small.jpg")
    answer = run_cwic("decode", coded, "-o", good)
    assert answer.code == 0
    assert "JPEG loses some of the picture: quality 95" in answer.err
    with Image.open(good) as image:
        assert {component[1:3] for component in image.layer} == {(1, 1)}  # colours in full resolution
    assert run_cwic("decode", coded, "-o", small, "--output-quality", 30).code == 0
    assert small.stat().st_size < good.stat().st_size
    for options in (("--output-quality", 0), ("--output-quality", 101)):
        assert run_cwic("decode", coded, "-o", small, "-f", *options).code == 2
    assert run_cwic("decode", coded, "--output-quality", 90).code == 2
    assert not coded.with_suffix(".png").exists()


def test_pipes_have_names_too(run_cwic: Run, coded: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        fed = pool.submit(pipe.write_bytes, coded.read_bytes())
        assert run_cwic("decode", pipe, "-o", tmp_path / "a.png", "--crop", "0,0,30,20").code == 0
        fed.result()
        fed = pool.submit(pipe.write_bytes, coded.read_bytes())
        assert run_cwic("info", pipe).code == 0
        fed.result()
        read = pool.submit(pipe.read_bytes)
        assert run_cwic("decode", coded, "-o", pipe).code == 0
    for png in (read.result(), (tmp_path / "a.png").read_bytes()):
        assert Image.open(io.BytesIO(png)).tobytes() == PHOTO.tobytes()
    answer = run_cwic("decode", "/dev/stdin", stdin=coded.read_bytes())
    assert Image.open(io.BytesIO(answer.out)).size == PHOTO.size


def test_whatever_a_writer_raises_the_others_are_done(
    run_cwic: Run, coded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = coded.with_name("odd.cwic")
    odd.write_bytes(cwic.encode(PHOTO.crop((0, 0, 7, 7))))
    plain = Image.Image.save

    def save(self: Image.Image, *args: Any, **options: Any) -> None:
        if self.width == 7:
            raise RuntimeError("encoder error")
        plain(self, *args, **options)

    monkeypatch.setattr(Image.Image, "save", save)
    answer = run_cwic("decode", odd, coded)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith(f"cwic: {odd}: ")
    assert coded.with_suffix(".png").exists()


def test_seconds_say_whether_the_model_was_loaded_in_them(run_cwic: Run, coded: Path) -> None:
    other = coded.with_name("other.cwic")
    other.write_bytes(coded.read_bytes())
    lines = run_cwic("decode", coded, other, "--json").out.splitlines()
    assert [json.loads(line)["seconds_include_loading"] for line in lines] == [True, False]


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".gif", ".tga"])
def test_a_format_without_orientation_gets_turned_pixels(run_cwic: Run, coded: Path, suffix: str) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    exif = tags.tobytes().removeprefix(b"Exif\0\0")
    coded.write_bytes(cwic.encode(PHOTO, metadata=cwic.Metadata(exif=exif)))
    answer = run_cwic("decode", coded, "-o", coded.with_suffix(suffix))
    assert answer.code == 0
    assert "cannot hold EXIF" in answer.err
    assert answer.err.endswith(": left out; the pixels are turned upright\n")
    with Image.open(coded.with_suffix(suffix)) as image:
        assert image.size == (20, 30)
    assert run_cwic("decode", coded).err == ""


def test_what_a_format_cannot_hold_is_named_and_costs_no_picture(
    run_cwic: Run, coded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x927C] = bytes(100_000)
    exif = tags.tobytes().removeprefix(b"Exif\0\0")
    photo = PHOTO.convert("RGBA")
    photo.putalpha(128)
    photo.info.update(cwic.Metadata(exif=exif).info)
    monkeypatch.setattr(cwic, "decode", lambda *_, **__: photo)
    answer = run_cwic("decode", coded, "-o", coded.with_suffix(".jpg"))
    assert answer.code == 0
    assert answer.err.endswith("JPEG cannot hold EXIF and alpha: left out\n")
    answer = run_cwic("decode", coded, "-o", coded.with_suffix(".gif"))
    assert "more than one bit of alpha" in answer.err
    assert run_cwic("decode", coded, "-o", coded.with_suffix(".xbm")).code == 1
