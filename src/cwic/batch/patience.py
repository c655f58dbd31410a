"""Repeat requests to a store that fails for a while, and give up if it keeps failing."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any, TypeVar

from cwic.batch.entry import EXTRA
from cwic.errors import CwicError
from cwic.extras import require

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds for which a request is repeated."""
LONGEST_WAIT = 5.0
"""The longest wait between two tries, in seconds."""
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
_FOR_GOOD_NUMBERS = {errno.ENAMETOOLONG, errno.EINVAL, errno.EROFS}
FULL = {errno.ENOSPC, errno.EDQUOT}
_CLIENTS = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "urllib3"}
"""Packages behind fsspec whose errors it passes on."""
_NO_USE = ("Credential", "Validation", "InvalidURL", "NoRegion", "Profile")


class StoreError(CwicError):
    """A store does not answer, or is full: the run cannot go on now, and can be started again later."""


def patiently(call: Callable[..., T], *arguments: Any, seconds: float = PATIENCE, **options: Any) -> T:
    """Call a store and return the result. The call is repeated, after growing waits, while its failure may pass.

    Args:
        call: the function to call.
        *arguments: its arguments.
        seconds: the time for which it is repeated.
        **options: its keyword arguments.

    Raises:
        StoreError: it still fails after that time.
        Exception: any error of the call that does not pass, often an OSError.
    """
    tenacity = require("tenacity", EXTRA)
    again = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT),
        retry=tenacity.retry_if_exception(may_pass),
        reraise=True,
    )
    try:
        result: T = again(call, *arguments, **options)
    except Exception as error:
        if may_pass(error):
            text = " ".join(str(error).split()) or type(error).__name__
            raise StoreError(f"the store does not answer: {text}; the same command goes on from here") from error
        raise
    return result


def may_pass(error: BaseException) -> bool:
    """Return whether an error of a store may be gone at the next try."""
    if isinstance(error, (CwicError, *_FOR_GOOD)):
        return False
    if isinstance(error, OSError) and error.errno in _FOR_GOOD_NUMBERS | FULL:
        return False
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return True
    kind = type(error)
    if any(part in kind.__name__ for part in _NO_USE):
        return False
    status = getattr(error, "status", getattr(error, "code", None))
    if isinstance(status, int) and 400 <= status < 500:
        return status in (408, 425, 429)
    return isinstance(error, OSError) or kind.__module__.split(".")[0] in _CLIENTS
