from __future__ import annotations

import io
import json
import os
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import DEFAULT_LIMITS, TILE, Chunk, Header, pack_tile, read_container, write_container
from cwic.image.metadata import metadata_of

DATA = write_container(Header(b"fake", 30, 20, "RGB", 500), [Chunk(TILE, pack_tile(0, b""))])
pytestmark = pytest.mark.usefixtures("fake_codec")
Run = Callable[..., Any]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((30, 20), 50).convert("RGB").save(path)
    return path


def test_output_is_named_after_the_input_and_reported(run_cwic: Run, photo: Path) -> None:
    answer = run_cwic("encode", photo, "-q", "42.5")
    output = photo.with_suffix(".cwic")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.decode().startswith(f"{photo} -> {output}  30x20  {output.stat().st_size} bytes")
    assert read_container(output.read_bytes()).header.quality == 42.5


def test_json(run_cwic: Run, photo: Path) -> None:
    record = json.loads(run_cwic("encode", photo, "--json", "-o", photo.with_name("b")).out)
    size = photo.with_name("b").stat().st_size
    assert (record["input"], record["output"]) == (str(photo), str(photo.with_name("b")))
    assert (record["width"], record["height"], record["bytes"]) == (30, 20, size)
    assert (record["quality"], record["model"]) == (50, "cwic-s-eye")
    assert record["bpp"] == pytest.approx(8 * size / 600)
    assert record["seconds"] >= 0


def test_pipes(run_cwic: Run, photo: Path) -> None:
    answer = run_cwic("encode", "-", stdin=photo.read_bytes())
    assert answer.code == 0
    assert read_container(answer.out).header.width == 30
    assert answer.err.startswith("- -> -  30x20")


def test_existing_output_needs_force(run_cwic: Run, photo: Path) -> None:
    output = photo.with_suffix(".cwic")
    output.write_bytes(b"old")
    answer = run_cwic("encode", photo)
    assert (answer.code, answer.out) == (6, b"")
    assert answer.err == f"cwic: {photo}: output {output} exists already: -f replaces it\n"
    assert output.read_bytes() == b"old"
    assert run_cwic("encode", photo, "-f").code == 0
    assert output.read_bytes() != b"old"


def test_the_input_is_never_replaced(run_cwic: Run, photo: Path) -> None:
    before = photo.read_bytes()
    assert run_cwic("encode", photo, "-f", "-o", photo).code == 1
    assert photo.read_bytes() == before


def test_several_inputs_and_a_bad_one(run_cwic: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    folder = tmp_path / "out"
    folder.mkdir()
    answer = run_cwic("encode", tmp_path / "missing.png", tmp_path / "text.png", photo, "-o", folder)
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 2
    assert [path.name for path in folder.iterdir()] == ["photo.cwic"]


@pytest.mark.parametrize("quality", ["-1", "100.1", "nan", "high"])
def test_quality_out_of_range_is_a_usage_error(run_cwic: Run, photo: Path, quality: str) -> None:
    assert run_cwic("encode", photo, "-q", quality).code == 2
    assert not photo.with_suffix(".cwic").exists()


def test_unknown_model(run_cwic: Run, photo: Path) -> None:
    assert run_cwic("encode", photo, "-m", "other").code == 4
    assert not photo.with_suffix(".cwic").exists()


def test_unsupported_picture(run_cwic: Run, tmp_path: Path) -> None:
    Image.new("CMYK", (3, 2)).save(tmp_path / "a.tif")
    answer = run_cwic("encode", tmp_path / "a.tif")
    assert answer.code == 1
    assert "CMYK" in answer.err


def test_full_disk_is_an_error_of_one_line(run_cwic: Run, photo: Path) -> None:
    answer = run_cwic("encode", photo, "-o", "/dev/full")
    assert answer.code == 1
    assert answer.err == f"cwic: {photo}: No space left on device\n"


def test_missing_folder_is_an_error_of_one_line(run_cwic: Run, photo: Path, tmp_path: Path) -> None:
    answer = run_cwic("encode", photo, "-o", tmp_path / "missing" / "out.cwic")
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1


def test_interrupt(run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cwic

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cwic, "encode", interrupt)
    answer = run_cwic("encode", photo)
    assert answer.code == 130
    assert "Traceback" not in answer.err
    assert not photo.with_suffix(".cwic").exists()


def test_grey_picture_over_stdin_to_file(run_cwic: Run, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (5, 7), 9).save(file, "BMP")
    assert run_cwic("encode", "-", "-o", tmp_path / "a.cwic", stdin=file.getvalue()).code == 0
    assert read_container((tmp_path / "a.cwic").read_bytes()).header.mode == "L"


@pytest.mark.parametrize(
    "options",
    [
        ("-q", "5", "--target-bytes", "100"),
        ("--target-bpp", "1", "--target-psnr", "30"),
        ("--target-bytes", "0"),
        ("--target-psnr", "nan"),
        ("--tile", "100"),
        ("--tile", "64"),
        ("-j", "0"),
        ("--device", "tpu"),
    ],
)
def test_wishes_that_cannot_be(run_cwic: Run, photo: Path, options: tuple[str, ...]) -> None:
    assert run_cwic("encode", photo, *options).code == 2
    assert not photo.with_suffix(".cwic").exists()


def test_options_reach_the_codec(run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cwic

    seen: dict[str, Any] = {}
    plain = cwic.encode
    monkeypatch.setattr(cwic, "encode", lambda image, **options: seen.update(options) or plain(image))
    options = ("--target-bpp", 1.5, "--tile", 256, "--robust", "-j", 3, "--strip", "--device", "cuda")
    assert run_cwic("encode", photo, *options).code == 0
    assert (seen["target_bpp"], seen["tile"], seen["jobs"], seen["strip"]) == (1.5, 256, 3, True)
    assert seen["robust"] is True
    assert (seen["quality"], seen["device"]) == (None, "cuda")
    assert seen["limits"] == DEFAULT_LIMITS


def test_limits_can_be_lifted(run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    answer = run_cwic("encode", photo)
    assert answer.code == 3
    assert "--no-limits" in answer.err
    assert run_cwic("encode", photo, "--no-limits").code == 0


def test_a_raw_picture_is_mapped(run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cwic

    seen: list[object] = []
    monkeypatch.setattr(cwic, "encode", lambda image, **_: seen.append(image) or DATA)
    Image.new("RGB", (30, 20)).save(tmp_path / "a.ppm")
    assert run_cwic("encode", tmp_path / "a.ppm").code == 0
    assert isinstance(seen[0], np.memmap)
    assert seen[0].shape == (20, 30, 3)


def test_a_large_picture_is_streamed_with_its_metadata(
    run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cwic
    from cwic.image import streamed

    seen: list[Any] = []
    monkeypatch.setattr(cwic, "encode", lambda image, **options: seen.append((image, options["metadata"])) or DATA)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png", exif=exif)
    assert run_cwic("encode", tmp_path / "a.png").code == 0
    monkeypatch.setattr(streamed, "LARGE", 600)
    assert run_cwic("encode", tmp_path / "a.png", "-f").code == 0
    assert run_cwic("encode", tmp_path / "a.png", "-f", "--strip").code == 0
    (whole, metadata), (mapped, kept), (to_turn, _) = seen
    assert metadata is None
    assert isinstance(mapped, np.memmap)
    assert kept == metadata_of(whole)
    assert isinstance(to_turn, Image.Image)


def test_a_damaged_large_picture_is_an_error_as_ever(
    run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cwic.image import streamed

    photo.write_bytes(photo.read_bytes()[:-200])
    whole = run_cwic("encode", photo)
    assert (whole.code, whole.out) == (1, b"")
    assert whole.err.startswith(f"cwic: {photo}: picture is damaged: ")
    monkeypatch.setattr(streamed, "LARGE", 600)
    assert run_cwic("encode", photo) == whole
    assert not photo.with_suffix(".cwic").exists()


@pytest.mark.parametrize("where", ["fifo", "descriptor"])
def test_a_pipe_is_read_once_and_by_any_name(run_cwic: Run, photo: Path, tmp_path: Path, where: str) -> None:
    output, end = tmp_path / "out.cwic", tmp_path / "pipe"
    if where == "fifo":
        os.mkfifo(end)
        name, opened = str(end), lambda: os.open(end, os.O_WRONLY)
    else:
        ends = os.pipe()
        name, opened = f"/dev/fd/{ends[0]}", lambda: ends[1]

    def feed() -> None:
        with os.fdopen(opened(), "wb") as file:
            file.write(photo.read_bytes())

    with ThreadPoolExecutor() as pool:
        fed = pool.submit(feed)
        assert run_cwic("encode", name, "-o", output).code == 0
        fed.result()
    assert read_container(output.read_bytes()).header.width == 30


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0"])
def test_stdin_and_stdout_have_other_names(run_cwic: Run, photo: Path, name: str) -> None:
    answer = run_cwic("encode", name, "-o", "/dev/stdout", stdin=photo.read_bytes())
    assert (answer.code, read_container(answer.out).header.width) == (0, 30)
    assert answer.err.startswith(f"{name} -> -  30x20")


def test_a_name_that_is_no_text_is_said_with_escapes(
    run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(os.fsencode(photo.parent) + b"/caf\xe9.png")
    Path(odd).write_bytes(photo.read_bytes())
    answer = run_cwic("encode", odd, photo)
    assert (answer.code, answer.err) == (0, "")
    first, second = answer.out.decode().splitlines()
    assert "/caf\\xe9.png -> " in first
    assert second.startswith(str(photo))
    assert Path(odd).with_suffix(".cwic").is_file()
    record = json.loads(run_cwic("encode", odd, "-f", "--json").out)
    assert record["input"] == odd.encode(errors="surrogateescape").decode(errors="backslashreplace")
    # A terminal of few letters.
    few = photo.rename(photo.with_name("\u5199\u771f.png"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    assert run_cwic("encode", few).code == 0
    sys.stdout.flush()
    assert b"\\u5199\\u771f.png -> " in sys.stdout.buffer.getvalue()


@pytest.mark.parametrize("error", [RuntimeError("x"), struct.error("x"), MemoryError(), ZeroDivisionError("x")])
def test_whatever_a_reader_raises_the_others_are_done(
    run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from cwic.image import files

    bad = photo.with_name("bad.png")
    bad.write_bytes(photo.read_bytes())
    plain = files.open_image

    def read(source: Any) -> Image.Image:
        if "bad" in str(source):
            raise error
        return plain(source)

    monkeypatch.setattr(files, "open_image", read)
    answer = run_cwic("encode", bad, photo)
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1
    assert "Traceback" not in answer.err
    assert photo.with_suffix(".cwic").exists()
    assert not bad.with_suffix(".cwic").exists()


def test_a_value_that_an_argument_cannot_have_is_said_of_the_file(
    run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cwic

    def refuse(*_: object, **__: object) -> bytes:
        raise ValueError("a model of one rate takes no quality")

    monkeypatch.setattr(cwic, "encode", refuse)
    answer = run_cwic("encode", photo)
    assert (answer.code, answer.err) == (2, f"cwic: {photo}: a model of one rate takes no quality\n")


def test_a_clash_leaves_the_others(run_cwic: Run, photo: Path) -> None:
    other, third = photo.with_suffix(".jpg"), photo.with_name("third.png")
    for path in (other, third):
        path.write_bytes(photo.read_bytes())
    folder = photo.with_name("small")
    answer = run_cwic("encode", photo, other, third, "-f", "-o", f"{folder}/")
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 2
    assert [path.name for path in folder.iterdir()] == ["third.cwic"]
    assert run_cwic("encode", photo, photo, f"{photo.parent}/./photo.png").code == 0


def test_coded_bytes_replace_no_picture(run_cwic: Run, photo: Path) -> None:
    other = photo.with_name("other.png")
    assert run_cwic("encode", photo, "-o", other).code == 2
    assert not other.exists()
    assert run_cwic("encode", photo, "-o", other, "-f").code == 0
    assert run_cwic("encode", photo, "-o", other, "-f").code == 0  # they replace coded bytes
    other.write_bytes(photo.read_bytes())
    for options in ((), ("-f",)):
        assert run_cwic("encode", photo, "-o", other, *options).code in (1, 6)
        assert other.read_bytes() == photo.read_bytes()


def test_seconds_say_whether_the_model_was_loaded_in_them(run_cwic: Run, photo: Path) -> None:
    other = photo.with_name("other.png")
    other.write_bytes(photo.read_bytes())
    lines = run_cwic("encode", photo, other, "--json").out.splitlines()
    assert [json.loads(line)["seconds_include_loading"] for line in lines] == [True, False]
    first, second = run_cwic("encode", photo, other, "-f").out.decode().splitlines()
    assert first.endswith(" s with loading the model")
    assert second.endswith(" s")


def test_targets_effort_and_tune_reach_the_codec(run_cwic: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    encode = cwic.encode

    def seen(image: Image.Image, **options: Any) -> bytes:
        asked.update(options)
        return encode(image, **options)

    monkeypatch.setattr(cwic, "encode", seen)
    answer = run_cwic("encode", photo, "--target-ssimulacra2", 70, "-e", 7, "-m", "s", "--tune", "psnr", "--json")
    assert answer.code == 0
    assert (asked["target_ssimulacra2"], asked["effort"], asked["model"]) == (70, 7, "cwic-s")
    assert json.loads(answer.out)["model"] == "cwic-s"
    for wrong in (["-e", 10], ["--tune", "ear"], ["--target-ms-ssim", 0.9, "-q", 50], ["--target-ms-ssim", -1]):
        assert run_cwic("encode", photo, *wrong, "-f").code == 2
    assert run_cwic("encode", photo, "-m", "m", "--tune", "ms-ssim", "-f").code == 4
