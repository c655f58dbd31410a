"""A codec of the bench that runs programs, described by a TOML file: see examples/codecs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Scale, unreadable, unwritable
from cwic.image.files import read_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PICTURE_SUFFIXES = {".ppm", ".png"}  # .ppm is .pgm for greyscale pictures: the programs look at the content
_KEYS = {"description", "suffix", "picture", "encode", "decode", "version", "low", "high", "decimals"} | {
    "qualities",
    "timeout_s",
}
_PLACES = ("{quality}", "{input}", "{output}")
_REASON_LENGTH = 200


@dataclass(frozen=True)
class CommandCodec:
    """Two commands, one from a picture file to a coded file and one back. No shell reads them.

    Attributes:
        settings: what the settings are, for people.
        suffix: of the coded file; programs choose formats by it.
        picture: suffix of the picture files on both sides, `.ppm` or `.png`.
        to_file, to_picture: arguments, with `{quality}`, `{input}` and `{output}` inside them.
        version: a command whose first line of output is a version; empty where there is none.
        timeout_s: seconds that one run may take.
    """

    name: str
    settings: str
    suffix: str
    picture: str
    to_file: tuple[str, ...]
    to_picture: tuple[str, ...]
    version: tuple[str, ...]
    qualities: tuple[float, ...]
    scale: Scale
    timeout_s: float

    @property
    def description(self) -> str:
        text = f"{self.settings}; {' '.join(self.to_file)}; {' '.join(self.to_picture)}"
        return f"{text}; {_version_line(self.version, self.timeout_s)}" if self.version else text

    def ready(self) -> None:
        """Raises InputError: a program is not installed."""
        for command in (self.to_file, self.to_picture):
            if which(command[0]) is None:
                raise InputError(f"the program {command[0]} is not installed")

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        with tempfile.TemporaryDirectory(prefix="cwic-eval-") as folder:
            source, target = Path(folder, "in" + self.picture), Path(folder, "out" + self.suffix)
            Image.fromarray(pixels).save(source, "PPM" if self.picture == ".ppm" else "PNG")
            self._run(self.to_file, {"{input}": str(source), "{output}": str(target), "{quality}": f"{quality:g}"})
            return target.read_bytes()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        with tempfile.TemporaryDirectory(prefix="cwic-eval-") as folder:
            source, target = Path(folder, "in" + self.suffix), Path(folder, "out" + self.picture)
            source.write_bytes(data)
            self._run(self.to_picture, {"{input}": str(source), "{output}": str(target)})
            try:
                return np.asarray(Image.open(target).convert("RGB"))
            except (OSError, SyntaxError, ValueError) as error:
                raise unreadable(self.to_picture[0], error) from error

    def _run(self, template: Sequence[str], values: dict[str, str]) -> None:
        command = [_filled(part, values) for part in template]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self.timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{command[0]} took longer than {self.timeout_s:g} s") from None
        except OSError as error:
            raise unwritable(command[0], error) from error
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())
            reason = said[-_REASON_LENGTH:] or "it said nothing"
            raise InputError(f"{command[0]} ended with {done.returncode}: {reason}")
        if not Path(values["{output}"]).is_file():
            raise InputError(f"{command[0]} wrote no file")


def read_command_codec(path: Path) -> CommandCodec:
    """The codec that a TOML file describes, named as the file is.

    Raises InputError: unreadable, not TOML, or an entry is missing, unknown, or of the wrong kind.
    """
    try:
        entries = tomllib.loads(read_bytes(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a TOML file: {error}") from None
    if unknown := entries.keys() - _KEYS:
        raise InputError(f"unknown entry {min(unknown)!r}; there are: {', '.join(sorted(_KEYS))}")

    scale = Scale(_number(entries, "low", 0), _number(entries, "high", 100), int(_number(entries, "decimals", 0)))
    qualities = entries.get("qualities")
    if not isinstance(qualities, list) or not qualities or not all(quality in scale for quality in qualities):
        raise InputError(f"qualities must be a list of numbers from {scale.low:g} to {scale.high:g}")
    picture = _text(entries, "picture")
    if picture not in PICTURE_SUFFIXES:
        raise InputError(f"picture must be one of {', '.join(sorted(PICTURE_SUFFIXES))}, not {picture!r}")
    return CommandCodec(
        path.stem,
        _text(entries, "description"),
        _text(entries, "suffix"),
        picture,
        _command(entries, "encode", _PLACES),
        _command(entries, "decode", _PLACES[1:]),
        _command(entries, "version", ()) if "version" in entries else (),
        tuple(sorted(qualities)),
        scale,
        _number(entries, "timeout_s", 60),
    )


def _filled(part: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        part = part.replace(place, value)
    return part


def _number(entries: dict[str, Any], key: str, default: float) -> float:
    value = entries.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise InputError(f"{key} must be a number, 0 or more")
    return value


def _text(entries: dict[str, Any], key: str) -> str:
    value = entries.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{key} must be a text")
    return value


def _command(entries: dict[str, Any], key: str, places: Sequence[str]) -> tuple[str, ...]:
    value = entries.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(part, str) and part for part in value):
        raise InputError(f'{key} must be a list of arguments: ["program", "-q", "{{quality}}", ...]')
    for place in places:
        if not any(place in part for part in value):
            raise InputError(f"{key} must have {place} in one of its arguments")
    return tuple(value)


@cache
def _version_line(command: tuple[str, ...], timeout_s: float) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "version unknown"
    lines = (done.stdout + done.stderr).decode(errors="replace").split("\n")
    return lines[0].strip() or "version unknown"
