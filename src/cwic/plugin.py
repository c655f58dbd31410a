"""Pillow plugin: after `register()`, `Image.open` reads .cwic files and `Image.save` writes them.

    from PIL import Image
    import cwic.CwicImagePlugin            # or: from cwic.plugin import register; register()

    Image.open("photo.png").save("photo.cwic", quality=60)
    Image.open("photo.cwic").show()

Opening reads header and metadata only, so that Pillow's own limit on pixels is checked before any work is done;
pixels come with `load`, and the networks with them; `verify` checks all checksums, without a network. As everywhere
in Pillow, a file that cannot be read or written is an OSError, and a wrong option a ValueError or, where its type
is wrong, a TypeError.

`save` takes `quality` or one of `target_bytes`, `target_bpp`, `target_psnr`, `target_ms_ssim` and `target_ssimulacra2`;
`effort`; `model` and `tune`; `tile` or `robust`; `jobs`;
and `exif`, `icc_profile` and `xmp`, which are those of the image unless given, and absent if given empty or None; or
`strip=True` to leave all three out. `cwic.encode` describes them. As with every format, Pillow opens the file before
the encoder begins: only the `cwic` command replaces a file in one step.

`thumbnail`, and `draft` before `load`, decode a small picture where that is enough.
"""

from __future__ import annotations

from dataclasses import replace
from typing import IO

from PIL import Image, ImageFile

import cwic
from cwic.arguments import check_flag
from cwic.config import PREVIEW_SCALES
from cwic.container.header import MAGIC
from cwic.container.index import read_container
from cwic.container.limits import DEFAULT_LIMITS, NO_LIMITS, Limits
from cwic.container.start import read_start
from cwic.errors import CwicError, TargetError
from cwic.image.metadata import Metadata, make_metadata, metadata_of
from cwic.image.refusals import refuse_unsupported
from cwic.threads import thread_count

FORMAT = "CWIC"
_TARGETS = ("target_bytes", "target_bpp", "target_psnr", "target_ms_ssim", "target_ssimulacra2")
_OPTIONS = ("quality", *_TARGETS, "effort", "model", "tune", "tile", "robust", "jobs", "strip")
_METADATA = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}


class CwicImageFile(ImageFile.ImageFile):
    """A .cwic file opened by Pillow."""

    format = FORMAT
    format_description = "cwic learned image codec"
    _coded = False
    """True while the pixels are not decoded yet. A copy or a pickled image always has its pixels."""
    _scale = 1

    def _open(self) -> None:
        try:
            header, chunks = read_start(self._file(), replace(DEFAULT_LIMITS, max_pixels=NO_LIMITS.max_pixels))
        except CwicError as error:
            raise OSError(str(error)) from error
        self._size = header.width, header.height
        self._mode = header.mode
        self.info["quality"] = header.quality
        self.info.update(Metadata.from_payloads({chunk.type: chunk.payload for chunk in chunks}).info)
        self._coded = True

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Make `load` decode a small picture, in about a quarter of the time, where about `size` is asked for.

        It has 1/8 or 1/16 of the sides, and at least three quarters of what fits into `size`. `thumbnail` calls this.
        """
        if not self._coded or self._scale > 1 or size is None:
            return None
        width, height = self.size
        fitting = [s for s in PREVIEW_SCALES if 4 * width >= 3 * s * size[0] or 4 * height >= 3 * s * size[1]]
        if not fitting:
            return None
        self._scale = max(fitting)
        self._size = -(-width // self._scale), -(-height // self._scale)
        return self.mode, (0, 0, *self.size)

    def load(self) -> Image.core.PixelAccess | None:
        """Decode the pixels, on first use. Raises `ValueError` where the image was closed before."""
        if self._coded:
            file = self._file()
            file.seek(0)
            try:
                # A small picture of several tiles takes little memory.
                jobs = thread_count() if self._scale > 1 else 1
                picture = cwic.decode(file.read(), scale=self._scale, jobs=jobs, limits=_limits())
            except CwicError as error:
                raise OSError(str(error)) from error
            if self._exclusive_fp:
                file.close()
            self.fp = None
            self.im = picture.im
            self._coded = False
        return super().load()

    def verify(self) -> None:
        """Check every checksum of the file, without decoding it, and close it, as Pillow's `verify` does.

        Of an image whose pixels are here nothing is left to check. Raises `OSError` for a damaged file, and
        `RuntimeError` where the image was closed or verified before.
        """
        if not self._coded:
            return
        if self.fp is None:
            raise RuntimeError("verify must be called directly after open")
        try:
            self.fp.seek(0)
            read_container(self.fp.read(), _limits())
        except CwicError as error:
            raise OSError(str(error)) from error
        finally:
            super().verify()

    def _file(self) -> IO[bytes]:
        if self.fp is None:
            raise ValueError("Operation on closed image: its pixels were not read before")
        return self.fp


def register() -> None:
    """Make Pillow read and write .cwic files. Calling it again changes nothing."""
    Image.register_open(FORMAT, CwicImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, ".cwic")
    Image.register_mime(FORMAT, "image/x-cwic")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _limits() -> Limits:
    """Return cwic's limits with Pillow's limit on pixels. Pillow warns at its limit and refuses at twice that."""
    pixels = Image.MAX_IMAGE_PIXELS
    return Limits(max_pixels=NO_LIMITS.max_pixels if pixels is None else int(2 * pixels))  # programs set floats


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    options = {name: image.encoderinfo[name] for name in _OPTIONS if image.encoderinfo.get(name) is not None}
    check_flag("strip", options.get("strip", False))
    try:
        refuse_unsupported(image)
        metadata = None if options.get("strip") else _metadata(image)
        file.write(cwic.encode(image, metadata=metadata, limits=_limits(), **options))
    except TargetError as error:
        raise ValueError(str(error)) from error
    except CwicError as error:
        raise OSError(str(error)) from error


def _metadata(image: Image.Image) -> Metadata:
    """Return the metadata of the image, with the caller's replacements."""
    given = {key: image.encoderinfo[key] for key in _METADATA if key in image.encoderinfo}
    try:
        replacement = make_metadata(given.get("icc_profile"), given.get("exif"), given.get("xmp"))
    except CwicError as error:
        raise ValueError(str(error)) from error
    kept = metadata_of(image, [_METADATA[key] for key in given])
    return kept._replace(**{_METADATA[key]: getattr(replacement, _METADATA[key]) for key in given})
