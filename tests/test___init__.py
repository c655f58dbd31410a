"""The package as a person at a prompt meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cwic

SOURCE = Path(__file__).parents[1] / "src"


def _run(script: str) -> str:
    script = f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{script}"
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout


def test_what_there_is_is_shown_before_it_is_used() -> None:
    found = _run("import cwic; print(*dir(cwic)); print(*(name for name in ('numpy', 'PIL') if name in sys.modules))")
    shown, loaded = found.splitlines()
    assert set(cwic.__all__) < set(shown.split())
    assert {"import_module", "Any", "TYPE_CHECKING"}.isdisjoint(shown.split())
    assert loaded == ""
    assert all(getattr(cwic, name) is not None for name in cwic.__all__)


def test_help_describes_the_functions() -> None:
    text = _run("import cwic; help(cwic)")
    for name in ("encode(", "decode(", "recover(", "read_info(", "list_models(", "class Limits", "class InputError"):
        assert name in text


def test_a_name_that_is_none() -> None:
    with pytest.raises(AttributeError, match="'cwic' has no attribute 'compress'"):
        _ = cwic.compress


def test_models_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cwic.list_models()[0] == "cwic-s"
    (tmp_path / "mine.safetensors").touch()
    monkeypatch.setenv("CWIC_MODELS", str(tmp_path))
    assert cwic.list_models()[-1] == "mine"
