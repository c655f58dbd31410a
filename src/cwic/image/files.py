"""Reading pictures from files, and writing files whole or not at all.

Pillow is imported where it is used: commands that only look at bytes start faster without it.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cwic.container.source import check_path
from cwic.errors import InputError, OutputExistsError
from cwic.image import unreadable
from cwic.image.guard import errors_as_ours
from cwic.image.source import remember_file

if TYPE_CHECKING:
    from PIL import Image

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.cwic-[0-9a-f]{16}\.tmp")
UNREAD = "cwic_unread"
"""The attribute of an image that names metadata of its file which were left out, so that Pillow could read it."""


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file. Raises InputError, with the reason, for a file that cannot be read."""
    check_path(path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror or error}") from error


def open_image(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """A picture, from the bytes or the path of a file of any format that Pillow reads. Pixels are as in the file:
    an orientation in its EXIF is not applied. Metadata that Pillow fails at are left out; `metadata_of` says so.

    Raises:
        InputError: not a picture, damaged, or of a kind that cwic does not code.
        LimitError: more pixels than Pillow's limit.
    """
    image = open_unread(source)
    try:
        with errors_as_ours("picture is damaged"):
            image.load()
    except InputError:
        image.close()
        repaired = _repaired(source, loaded=True)
        if repaired is None:
            raise
        return repaired
    return image


def open_unread(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """The same before its pixels are read, and without what stands behind them in the file. Raises as `open_image`."""
    from cwic.image.refusals import refuse_unsupported

    try:
        image = _opened(source)
    except InputError:
        repaired = _repaired(source, loaded=False)
        if repaired is None:
            raise
        image = repaired
    try:
        refuse_unsupported(image)
    except InputError:
        image.close()
        raise
    return image


def _opened(source: bytes | str | os.PathLike[str]) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    with errors_as_ours("picture is damaged"):
        try:
            image = Image.open(BytesIO(source) if isinstance(source, bytes) else source)
        except UnidentifiedImageError:
            raise InputError(unreadable.why_unreadable(_head(source))) from None
    remember_file(image)
    return image


def _head(source: bytes | str | os.PathLike[str]) -> bytes:
    if isinstance(source, bytes):
        return source[: unreadable.HEAD_BYTES]
    with open(source, "rb") as file:
        return file.read(unreadable.HEAD_BYTES)


def _repaired(source: bytes | str | os.PathLike[str], *, loaded: bool) -> Image.Image | None:
    """The picture without metadata that Pillow fails at, as few as can be told; None if they are not to blame."""
    from cwic.image.repair import HEAD_BYTES, is_known, repairs_of

    if not isinstance(source, bytes):
        with errors_as_ours("cannot read the file"), open(source, "rb") as file:
            source = b"" if not is_known(file.read(HEAD_BYTES)) else read_bytes(source)
    found = None
    for repaired in repairs_of(source):
        try:
            image = _opened(repaired.data)
            if loaded:
                with errors_as_ours("picture is damaged"):
                    image.load()
        except InputError:
            if found is None:
                return None
            continue
        vars(image)[UNREAD] = repaired.left_out
        if found is not None or loaded:
            return image
        found = image
    return found


def format_of_suffix(suffix: str) -> str | None:
    """Return Pillow's name of the format whose files have a suffix, such as ".png", or None if there is none."""
    from PIL import Image

    Image.preinit()  # the most common formats; to know all takes a while
    return Image.EXTENSION.get(suffix.lower()) or Image.registered_extensions().get(suffix.lower())


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


def is_temporary(name: str) -> bool:
    """Return whether a name is that of an unfinished file of `write_atomically`, abandoned or still being written."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_temporary(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes left in a folder, but none that is still being written."""
    with suppress(OSError):
        for name in filter(is_temporary, os.listdir(folder)):
            path = os.path.join(folder, name)
            # Windows removes no file that is open; elsewhere whoever writes one holds its lock.
            with suppress(OSError), nullcontext() if fcntl is None else open(path, "rb") as file:
                if file is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)


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
            if fcntl is not None:
                with suppress(OSError):  # of file systems without locks
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            temporary.chmod(stat.S_IMODE(old.st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
