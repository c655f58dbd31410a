"""Turn what a library raises for a bad file into an error of cwic with one line of text."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cwic.errors import CwicError, InputError, LimitError

_CLOSED = "the image is closed, and its pixels cannot be read any more: encode it before it is closed"


@contextmanager
def errors_as_ours(what: str, image: Any = None) -> Iterator[None]:
    """Around calls of Pillow: a file, or metadata in it, can make it raise anything. Its warnings are kept back.

    Where an `image` is given that was closed before, that is what is said.

    Raises `LimitError` for more pixels than Pillow's limit, and `InputError`, "WHAT: reason", for all else.
    """
    from PIL import Image, UnidentifiedImageError

    closed = image is not None and _is_closed(image)
    try:
        with quiet_pillow():
            yield
    except CwicError:
        raise
    except UnidentifiedImageError:
        raise InputError("not a picture of a format that Pillow reads") from None
    except Image.DecompressionBombError as error:
        raise LimitError(f"{one_line(error)} Trusted files: --no-limits") from error
    except MemoryError as error:
        raise InputError(f"{what}: it asks for more memory than there is") from error
    except Exception as error:
        if closed:
            raise InputError(_CLOSED) from error
        if isinstance(error, OSError) and error.filename is not None:
            raise InputError(f"cannot read the file: {error.strerror or error}") from error
        raise InputError(f"{what}: {one_line(error)}") from error


def _is_closed(image: Any) -> bool:
    """Return whether a Pillow image has neither pixels nor an open file. Some formats keep the file elsewhere."""
    try:
        unread = image.im is None
    except AssertionError:
        unread = True
    except ValueError:  # Pillow's answer once the pixels are given back
        return True
    except AttributeError:  # no image of Pillow's own
        return False
    file = getattr(image, "fp", None)
    return unread and (file is None or bool(getattr(file, "closed", False)))


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Without Pillow's own warnings, of EXIF that is odd or of files that are large: cwic says what matters.

    What Pillow logs is not printed either, unless the program has asked for logs.
    """
    log, nowhere = logging.getLogger("PIL"), logging.NullHandler()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        log.addHandler(nowhere)
        try:
            yield
        finally:
            log.removeHandler(nowhere)


def one_line(error: Exception) -> str:
    """Return an error's text as one printable line, even if it holds bytes of a file; its name if it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
