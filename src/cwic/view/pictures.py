"""The pictures that the page shows: files and their originals, encoded anew and measured when the page asks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock, RLock
from typing import Any, NamedTuple

from PIL import Image

from cwic.codec import DEFAULT_QUALITY, decode, encode
from cwic.container.index import read_index
from cwic.errors import CwicError, InputError
from cwic.image.fidelity import psnr
from cwic.image.files import open_image, read_bytes
from cwic.image.metadata import metadata_of, upright
from cwic.image.picture import as_picture
from cwic.image.ssimulacra2 import ssimulacra2
from cwic.models import catalog
from cwic.view.formats import OTHERS, Coded, code_within

MAX_KEPT = 64
"""The number of encoded forms that are kept, so that the page may ask for them again at no cost."""


class Entry(NamedTuple):
    """A picture of the page.

    Attributes:
        name: the name of the file.
        data: its `.cwic` file; None if it is another picture.
        original: its original; None if that is not known.
        original_bytes: the bytes of the file of the original; None without one.
    """

    name: str
    data: bytes | None
    original: Image.Image | None
    original_bytes: int | None


class Settings(NamedTuple):
    """The settings of encoding. None stands for the file as it is, or for the default."""

    quality: float | None = None
    model: str | None = None


AS_IS = Settings()


class Pictures:
    """The pictures of a server. Any thread may call it; one thread encodes or measures at a time."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._adding, self._working = Lock(), RLock()
        self._coded = lru_cache(MAX_KEPT)(self._code)
        self._other = lru_cache(MAX_KEPT)(self._code_other)
        self._measured = lru_cache(MAX_KEPT)(self._measure)

    def open(self, paths: Sequence[str]) -> None:
        """Add files. A picture is the original of a `.cwic` file if their names differ only in the suffix.

        Raises:
            CwicError: a file cannot be read or shown; the message begins with its name.
        """
        contents = {}
        for path in paths:
            with _named(path):
                contents[path] = read_bytes(path)
        ours = {path for path, data in contents.items() if _is_cwic(path, data)}
        originals = {Path(path).stem: path for path in contents if path not in ours}
        paired = {originals.get(Path(path).stem) for path in ours}
        for path, data in contents.items():
            source = originals.get(Path(path).stem)
            if path in paired:
                continue
            with _named(path):
                self.add(Path(path).name, data, contents[source] if path in ours and source else None)

    def add(self, name: str, content: bytes, original: bytes | None = None) -> int:
        """Add a `.cwic` file, or a picture, which is then its own original.

        Args:
            name: the name of the file.
            content: its bytes.
            original: the bytes of the original of a `.cwic` file.

        Returns:
            The number of the entry.

        Raises:
            CwicError: a picture or an original cannot be read.
        """
        ours = _is_cwic(name, content)
        source = original if ours else content
        picture = None
        if source is not None:
            picture = open_image(source)
            picture.info.update(metadata_of(picture).info)
            as_picture(picture)
        entry = Entry(name, content if ours else None, picture, None if source is None else len(source))
        with self._adding:
            self._entries.append(entry)
            return len(self._entries) - 1

    def rows(self) -> list[dict[str, Any]]:
        """Return all entries, as the page lists them."""
        with self._adding:
            return [self.row(number) for number in range(len(self._entries))]

    def row(self, number: int) -> dict[str, Any]:
        """Return an entry, as the page lists it."""
        entry = self._entry(number)
        return {
            "id": number,
            "name": entry.name,
            "original": entry.original is not None,
            "originalBytes": entry.original_bytes,
        }

    def cwic(self, number: int, settings: Settings = AS_IS) -> bytes:
        """Return the `.cwic` form: the file, or the original encoded with `settings`. Raises `CwicError`."""
        entry = self._entry(number)
        if entry.data is not None and settings == AS_IS:
            return entry.data
        with self._working:
            return self._coded(number, settings)

    def original(self, number: int) -> bytes:
        """Return the original as a PNG file, upright. Raises `InputError` if it is not known."""
        file = BytesIO()
        image = upright(self._original(number))
        picture = as_picture(image)
        shown = Image.fromarray(picture.pixels)
        if picture.alpha is not None:
            shown.putalpha(Image.fromarray(picture.alpha))
        shown.save(file, "PNG", compress_level=1, icc_profile=image.info.get("icc_profile"))
        return file.getvalue()

    def other(self, number: int, name: str, settings: Settings = AS_IS) -> Coded:
        """Return the original in another format, at no more bytes than the `.cwic` form has if it can be so small.

        Args:
            number: the number of the entry.
            name: the name of the format, one of `OTHERS`.
            settings: the settings of the `.cwic` form.

        Raises:
            CwicError: there is no such entry, original or format.
        """
        with self._working:
            return self._other(number, name, settings)

    def measure(self, number: int, settings: Settings = AS_IS, name: str | None = None) -> dict[str, Any]:
        """Return bytes, bits per pixel, PSNR in dB, SSIMULACRA 2 and quality of a form, against the original.

        An infinite value is the text `Infinity`, and an undefined one is None.

        Args:
            number: the number of the entry.
            settings: the settings of the `.cwic` form.
            name: the name of another format; None for the `.cwic` form.

        Raises:
            CwicError: there is no original, or it has another size.
        """
        with self._working:
            return self._measured(number, settings, name)

    def _code(self, number: int, settings: Settings) -> bytes:
        model = settings.model or catalog.DEFAULT
        quality = settings.quality
        if quality is None and catalog.describe(model).config.variable_rate:
            quality = DEFAULT_QUALITY
        return encode(self._original(number), quality=quality, model=model)

    def _code_other(self, number: int, name: str, settings: Settings) -> Coded:
        if name not in OTHERS:
            raise InputError(f"the format is one of {', '.join(OTHERS)}, not {name}")
        pixels = as_picture(upright(self._original(number))).rgb
        return code_within(name, pixels, len(self.cwic(number, settings)))

    def _measure(self, number: int, settings: Settings, name: str | None) -> dict[str, Any]:
        x = as_picture(upright(self._original(number))).rgb
        if name is None:
            data = self.cwic(number, settings)
            x_hat = as_picture(upright(decode(data))).rgb
            quality = read_index(data).header.quality
        else:
            data, quality = self.other(number, name, settings)
            x_hat = as_picture(open_image(data)).rgb
        if x.shape != x_hat.shape:
            raise InputError("the original is not of the size of the picture: it is another one")
        return {
            "bytes": len(data),
            "bpp": 8 * len(data) / (x.shape[0] * x.shape[1]),
            "psnr": _finite(psnr(x, x_hat)),
            "ssimulacra2": _finite(ssimulacra2(x, x_hat)),
            "quality": quality,
        }

    def _entry(self, number: int) -> Entry:
        if not 0 <= number < len(self._entries):
            raise InputError(f"there is no picture {number}")
        return self._entries[number]

    def _original(self, number: int) -> Image.Image:
        original = self._entry(number).original
        if original is None:
            raise InputError("the original is not here: give it beside the .cwic file, with the same name")
        return original


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Add the path to the message of an error that is raised inside."""
    try:
        yield
    except CwicError as error:
        raise type(error)(f"{path}: {error}") from error


def _is_cwic(name: str, data: bytes) -> bool:
    return data[:3] == b"\x89CW" or name.lower().endswith(".cwic")


def _finite(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return "Infinity" if math.isinf(value) else value
