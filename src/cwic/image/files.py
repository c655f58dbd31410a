"""Reading pictures from files, and writing files whole or not at all.

Pillow is imported where it is used: commands that only look at bytes start faster without it.
"""

from __future__ import annotations

import os
import secrets
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cwic.errors import InputError, LimitError, OutputExistsError

if TYPE_CHECKING:
    from PIL import Image


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file. Raises InputError, with the reason, for a file that cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror or error}") from error


def open_image(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """A picture, from the bytes or the path of a file of any format that Pillow reads. Pixels are as in the file:
    an orientation in its EXIF is not applied.

    Raises:
        InputError: not a picture, damaged, or of a kind that cwic does not code.
        LimitError: more pixels than Pillow's limit.
    """
    image = open_unread(source)
    with _errors_of_pillow():
        image.load()
    return image


def open_unread(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """The same before its pixels are read, and without what stands behind them in the file. Raises as `open_image`."""
    from PIL import Image

    from cwic.image.picture import refuse_unsupported

    with _errors_of_pillow():
        with warnings.catch_warnings():
            # Pillow warns at half the size at which it refuses, which is where cwic does.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(BytesIO(source) if isinstance(source, bytes) else source)
        refuse_unsupported(image)
        return image


@contextmanager
def _errors_of_pillow() -> Iterator[None]:
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError:
        raise InputError("not a picture of a format that Pillow reads") from None
    except Image.DecompressionBombError as error:
        raise LimitError(f"{error} Trusted files: --no-limits") from error
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise InputError(f"cannot read the file: {error.strerror or error}") from error
        raise InputError(f"picture is damaged: {error}") from error


def check_output(path: str | os.PathLike[str], *, force: bool, source: str | os.PathLike[str] | None = None) -> None:
    """Refuse an output that must not be written, before any work is done for it.

    Args:
        path: where the output is to go.
        force: an existing file may be replaced.
        source: the file that the output is made from, which is never replaced.

    Raises:
        InputError: the output is its own source, or a folder.
        OutputExistsError: a file is there, and not `force`.
    """
    path = Path(path)
    if not path.exists():
        return
    if path.is_dir():
        raise InputError(f"output {path} is a folder")
    if source is not None and Path(source).exists() and path.samefile(source):
        raise InputError(f"output {path} is the input itself: name another with -o")
    if path.is_file() and not force:
        raise OutputExistsError(f"output {path} exists already: -f replaces it")


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview, *, force: bool = False) -> None:
    """Write a file so that it is there whole or not at all; a file already there survives every failure.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one step.
    A link is followed; a device or pipe is written to directly.

    Raises:
        InputError: `path` is a folder.
        OutputExistsError: a file is there, and not `force`.
        OSError: the folder is missing or not writable, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    check_output(target, force=force)
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        target.write_bytes(data)
        return

    temporary = target.with_name(f".cwic-{secrets.token_hex(8)}.tmp")
    # A plain open, unlike tempfile, gives the file the permissions that the user's umask asks for.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            temporary.chmod(stat.S_IMODE(old.st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
