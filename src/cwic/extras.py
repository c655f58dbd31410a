"""Import optional packages when they are used, with a message that names the extra to install."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from cwic.errors import InputError


def require(package: str, extra: str) -> ModuleType:
    """A package of one of cwic's extras. Raises InputError, with what to install, when it is absent."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install cwic[{extra}]") from error
