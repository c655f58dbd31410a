"""The libraries in C: one for each set of instructions, compiled where installing cwic found a C compiler.

The sources lie in `native/` of the project. `cwic.latents.native` calls the exact path there,
`cwic.networks.native_layers` the layers of the float networks, and `cwic.entropy` a sort and a
checksum. Without a library numpy, the standard library and the engines do their work.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from functools import cache
from pathlib import Path
from typing import Any

from cwic.errors import InputError

LIBRARY_VARIABLE = "CWIC_NATIVE"
"""`none` does without C; the name of a library takes that one. The default is the fastest that runs."""
LIBRARIES = ("plain", "avx2", "vnni")
"""For processors that have at least: what all of their kind have, AVX2, AVX-512 with VNNI. By their number in C."""
FOLDER = Path(__file__).parent / "native_libraries"
NONE = "none"

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "native_level": (_INT, []),
    "native_end": (None, [_POINTER]),
    "symbols_group": (None, [_POINTER, ctypes.c_int64, _POINTER, _POINTER]),
    "symbols_crc": (ctypes.c_uint, [_POINTER, ctypes.c_int64, ctypes.c_uint]),
    "exact_load": (_POINTER, [_POINTER, *[_INT] * 5]),
    "exact_begin": (_POINTER, [_POINTER, _POINTER, *[_INT] * 3]),
    "exact_predict": (_INT, [_POINTER, *[_INT] * 3, _POINTER, _POINTER]),
    "exact_take": (_INT, [_POINTER, *[_INT] * 3, _POINTER, _POINTER, _POINTER]),
    "floats_linear_load": (_POINTER, [_INT, _INT, _POINTER, _POINTER]),
    "floats_linear": (_INT, [_POINTER, _POINTER, ctypes.c_int64, _POINTER]),
    "floats_convolution_load": (_POINTER, [_INT, _INT, _POINTER, _POINTER]),
    "floats_quantise": (None, [_POINTER, *[_INT] * 4, _POINTER, _POINTER]),
    "floats_convolve": (None, [_POINTER, _POINTER, _POINTER, *[_INT] * 3, _POINTER, _INT]),
    "floats_depthwise_load": (_POINTER, [_INT, _POINTER, _POINTER]),
    "floats_depthwise": (None, [_POINTER, _POINTER, *[_INT] * 3, _POINTER, _POINTER]),
    "floats_block_load": (_POINTER, [_INT, _POINTER, ctypes.c_float]),
    "floats_block": (_INT, [_POINTER, _POINTER, *[_INT] * 4, _POINTER, _POINTER]),
}


class Handle:
    """Something that a library loaded; its memory is given back with the last reference to it."""

    def __init__(self, library: ctypes.CDLL, pointer: int | None) -> None:
        """Takes what a `_load` function of the library gave. Raises `MemoryError` if that is nothing."""
        if not pointer:
            raise MemoryError("no room for the networks of a model")
        self.library, self.pointer = library, pointer
        # Not at the end of the process: other threads may still be coding.
        weakref.finalize(self, library.native_end, pointer).atexit = False


def check_room(has_room: int) -> None:
    """Raises `MemoryError` if a function of a library says that it had no room."""
    if not has_room:
        raise MemoryError("no room for the feature maps of a tile")


def chosen() -> str:
    """The library that LIBRARY_VARIABLE asks for, else the fastest that runs here, else `none`.

    Raises `InputError` for a library that is not here or does not run.
    """
    asked, runs = os.environ.get(LIBRARY_VARIABLE, ""), [NONE, *usable()]
    if asked and asked not in runs:
        raise InputError(f"{LIBRARY_VARIABLE} is {asked!r}: here it may be {', '.join(runs)}")
    return asked or runs[-1]


def library() -> ctypes.CDLL | None:
    """The library that is chosen, if any. Raises as `chosen`."""
    name = chosen()
    return None if name == NONE else _opened(name)


@cache
def usable() -> list[str]:
    """The libraries that are here and run on this processor, the fastest last."""
    there = [name for name in LIBRARIES if _path(name).is_file()]
    try:
        level = _opened(there[0]).native_level() if there else -1
    except OSError:  # made for another machine
        return []
    return [name for name in there if LIBRARIES.index(name) <= level]


@cache
def _opened(name: str) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(_path(name)))
    for function, (result, arguments) in _FUNCTIONS.items():
        getattr(opened, function).restype, getattr(opened, function).argtypes = result, arguments
    return opened


def _path(name: str) -> Path:
    return FOLDER / f"{name}.so"
