"""Pillow plugin: after `register()`, `Image.open` reads .cwic files and `Image.save` writes them.

    from PIL import Image
    import cwic.CwicImagePlugin            # or: from cwic.plugin import register; register()

    Image.open("photo.png").save("photo.cwic", quality=60)
    Image.open("photo.cwic").show()

Opening reads the header only, so that Pillow's own limit on pixels is checked before any work is done; pixels
come with `load`, and torch with them. As everywhere in Pillow, a file that cannot be read or written is an
OSError.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

from PIL import Image, ImageFile

import cwic
from cwic.container.header import MAGIC, MAX_BYTES, Header
from cwic.errors import CwicError

FORMAT = "CWIC"


class CwicImageFile(ImageFile.ImageFile):
    """A .cwic file opened by Pillow."""

    format = FORMAT
    format_description = "cwic learned image codec"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            header, _ = Header.unpack(self.fp.read(MAX_BYTES))
        except CwicError as error:
            raise OSError(str(error)) from error
        self._size = header.width, header.height
        self._mode = header.mode
        self.info["quality"] = header.quality
        self._decoded = False

    def load(self) -> Image.core.PixelAccess | None:
        """Decode the pixels, on first use."""
        if not self._decoded:
            assert self.fp is not None
            self.fp.seek(0)
            try:
                picture = cwic.decode(self.fp.read())
            except CwicError as error:
                raise OSError(str(error)) from error
            if self._exclusive_fp:
                self.fp.close()
            self.fp = BytesIO(picture.tobytes())
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]
            self._decoded = True
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Nothing to seek: `load` lays the pixels out from the start."""


def register() -> None:
    """Make Pillow read and write .cwic files. Calling it again changes nothing."""
    Image.register_open(FORMAT, CwicImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, ".cwic")
    Image.register_mime(FORMAT, "image/x-cwic")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    options: dict[str, Any] = {
        name: value for name, value in image.encoderinfo.items() if name in ("quality", "model") and value is not None
    }
    quality = options.get("quality", 0)
    if isinstance(quality, bool) or not isinstance(quality, int | float) or not 0 <= quality <= 100:
        raise ValueError(f"quality must be a number from 0 to 100, not {quality!r}")
    if not isinstance(options.get("model", ""), str):
        raise ValueError(f"model must be a name, not {options['model']!r}")
    try:
        file.write(cwic.encode(image, **options))
    except CwicError as error:
        raise OSError(str(error)) from error
