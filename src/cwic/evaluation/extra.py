"""Packages that only evaluation needs, loaded when they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from cwic.errors import InputError


def require(package: str) -> ModuleType:
    """A package of the `eval` extra. Raises InputError, with what to install, when it is absent."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install cwic[eval]") from error
