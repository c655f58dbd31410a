from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation.codecs.command_codec import CommandCodec, read_command_codec
from cwic.evaluation.codecs.registry import open_codec
from cwic.evaluation.metrics import psnr

COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
PLAIN = {
    "description": "a copy",
    "suffix": ".copy",
    "picture": ".ppm",
    "encode": [sys.executable, "-c", COPY, "{input}", "{output}", "q={quality}"],
    "decode": [sys.executable, "-c", COPY, "{input}", "{output}"],
    "qualities": [10, 90],
}
Write = Callable[..., Path]


@pytest.fixture
def adapter(tmp_path: Path) -> Write:
    """Write a TOML file, the plain one with some entries changed; None takes one away."""

    def write(**changes: object) -> Path:
        entries = {key: value for key, value in {**PLAIN, **changes}.items() if value is not None}
        path = tmp_path / "copy.toml"
        path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in entries.items()))
        return path

    return write


def _program(text: str, *more: str) -> list[str]:
    return [sys.executable, "-c", text, *more]


@pytest.mark.parametrize("picture", [".ppm", ".png"])
def test_there_and_back(adapter: Write, gradient: np.ndarray, picture: str) -> None:
    codec = open_codec(str(adapter(picture=picture)))
    assert (codec.name, codec.qualities) == ("copy", (10, 90))
    data = codec.encode(gradient, 10)
    assert data.startswith(b"P6" if picture == ".ppm" else b"\x89PNG")
    assert np.array_equal(codec.decode(data), gradient)


def test_greyscale_is_written_as_such_and_comes_back_as_rgb(adapter: Write, gradient: np.ndarray) -> None:
    codec = read_command_codec(adapter())
    data = codec.encode(gradient[..., 0], 10)
    assert data.startswith(b"P5")
    assert np.array_equal(codec.decode(data), np.repeat(gradient[..., :1], 3, axis=2))


def test_places_are_filled_in_and_no_shell_reads_them(adapter: Write, gradient: np.ndarray) -> None:
    text = "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))"
    codec = read_command_codec(
        adapter(encode=_program(text, "{output}", "-q{quality}", "$HOME;", "{input}"), decimals=1)
    )
    words = codec.encode(gradient, 12.5).decode().split()
    assert words[:2] == ["-q12.5", "$HOME;"]
    assert words[2].endswith("in.ppm")


def test_description_has_commands_and_version(adapter: Write) -> None:
    codec = read_command_codec(adapter(version=_program("print('copy 1.2'); print('by me')")))
    assert codec.description.startswith("a copy; ")
    assert codec.description.endswith("; copy 1.2")
    assert "q={quality}" in codec.description
    assert read_command_codec(adapter(version=["no-such-program"])).description.endswith("; version unknown")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('bad picture')", "ended with 1: bad picture"),
        ("raise SystemExit(3)", "ended with 3: it said nothing"),
        ("pass", "wrote no file"),
        ("import time; time.sleep(60)", "took longer than 0.5 s"),
    ],
)
def test_a_program_that_fails(adapter: Write, gradient: np.ndarray, program: str, message: str) -> None:
    codec = read_command_codec(adapter(encode=_program(program, "{input}", "{output}", "{quality}"), timeout_s=0.5))
    with pytest.raises(InputError, match=message):
        codec.encode(gradient, 10)


def test_a_decoder_that_writes_no_picture(adapter: Write) -> None:
    with pytest.raises(InputError, match="cannot read what it wrote"):
        read_command_codec(adapter()).decode(b"no picture")


def test_a_program_that_is_absent(adapter: Write) -> None:
    path = adapter(decode=["no-such-program", "{input}", "{output}"])
    with pytest.raises(InputError, match="no-such-program is not installed"):
        open_codec(str(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"description": None}, "description must be a text"),
        ({"suffix": 3}, "suffix must be a text"),
        ({"picture": ".jpg"}, "picture must be one of .png, .ppm"),
        ({"encode": "cp {input} {output}"}, "encode must be a list of arguments"),
        ({"encode": ["cp", "{input}", "{output}"]}, "encode must have {quality}"),
        ({"decode": ["cat", "{input}"]}, "decode must have {output}"),
        ({"qualities": []}, "qualities must be a list of numbers from 0 to 100"),
        ({"qualities": [10, 90.5]}, "qualities must be"),
        ({"low": 20}, "qualities must be a list of numbers from 20 to 100"),
        ({"timeout_s": True}, "timeout_s must be a number"),
        ({"encoder": ["cp"]}, "unknown entry 'encoder'"),
    ],
)
def test_other_files_are_refused(adapter: Write, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_command_codec(adapter(**changes))


def test_files_that_are_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    for content in (b"= 3", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a TOML file"):
            read_command_codec(path)
    with pytest.raises(InputError, match="cannot read the file"):
        read_command_codec(tmp_path / "missing.toml")


@pytest.mark.skipif(which("cjpeg") is None, reason="needs libjpeg-turbo-progs")
def test_the_example_with_a_real_encoder(gradient: np.ndarray) -> None:
    codec = open_codec(str(Path(__file__).parents[3] / "examples" / "codecs" / "cjpeg.toml"))
    assert isinstance(codec, CommandCodec)
    assert "version" in codec.description
    small, large = (codec.encode(gradient, quality) for quality in (10, 90))
    assert small.startswith(b"\xff\xd8")
    assert len(small) < len(large)
    assert psnr(gradient, codec.decode(large)) > 30
    grey = gradient[..., 0]
    assert psnr(np.repeat(grey[..., None], 3, axis=2), codec.decode(codec.encode(grey, 90))) > 30
