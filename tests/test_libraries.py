from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from cwic import libraries
from cwic.errors import InputError
from cwic.libraries import LIBRARIES, LIBRARY_VARIABLE, NONE, Handle, chosen, library, usable

HERE = pytest.mark.skipif(not usable(), reason="no C compiler was found when cwic was installed")


@HERE
def test_the_fastest_is_taken_unless_another_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "")
    assert chosen() == usable()[-1]
    monkeypatch.setenv(LIBRARY_VARIABLE, "plain")
    assert chosen() == "plain"
    assert isinstance(library(), ctypes.CDLL)
    monkeypatch.setenv(LIBRARY_VARIABLE, NONE)
    assert chosen() == NONE
    assert library() is None


@HERE
def test_a_library_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "fastest")
    with pytest.raises(InputError, match="CWIC_NATIVE is 'fastest': here it may be none, plain"):
        chosen()


def test_what_does_not_load_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "FOLDER", tmp_path)
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    for cached in (usable, libraries._opened):
        cached.cache_clear()
    try:
        assert chosen() == NONE
        (tmp_path / "plain.so").write_bytes(b"for another machine")
        usable.cache_clear()
        assert chosen() == NONE
    finally:
        for cached in (usable, libraries._opened):
            cached.cache_clear()


@HERE
def test_usable_libraries_are_in_the_order_of_speed() -> None:
    assert usable() == [name for name in LIBRARIES if name in usable()]


@HERE
def test_nothing_loaded_is_an_error() -> None:
    with pytest.raises(MemoryError):
        Handle(ctypes.CDLL(None), None)
