"""The borders between the rooms, read from the source, so that a shortcut across one fails here by name."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "cwic"
FILES = sorted(PACKAGE.rglob("*.py"))
EVERY_FILE = sorted(ROOT.glob("[a-z]*/**/*.py"))
CORE = {"image", "nn", "transforms", "latents", "entropy", "container", "models", "tiling", "targets", "codec"}
WINGS = {"training", "evaluation", "app", "cluster", "cli"}
MAX_LINES = 400

# Without a test file of the same name: no code of their own, or all of it tested elsewhere.
UNMIRRORED = {"__init__.py", "CwicImagePlugin.py"}  # the latter by test_plugin.py


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(file: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(file)} imports relatively"
            # `from cwic import cli` imports a room too; a name that is no module does no harm here.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _tops(file: Path) -> set[str]:
    return {name.split(".")[0] for name in _imports(file)}


def _rooms_used(file: Path) -> set[str]:
    return {name.split(".")[1] for name in _imports(file) if name.startswith("cwic.")}


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_core_imports_no_wing(file: Path) -> None:
    if _room(file) in CORE:
        assert not _rooms_used(file) & WINGS


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_only_the_coder_imports_constriction(file: Path) -> None:
    assert "constriction" not in _tops(file) or _name(file) == "entropy/coder.py"


def test_entropy_imports_no_torch() -> None:
    assert "torch" not in set().union(*(_tops(file) for file in FILES if _room(file) == "entropy"))


def test_container_imports_the_standard_library_only() -> None:
    for file in FILES:
        if _room(file) == "container":
            assert _tops(file) <= sys.stdlib_module_names | {"cwic"}, _name(file)
            assert _rooms_used(file) <= {"container", "errors"}, _name(file)


@pytest.mark.parametrize("module", ["cwic", "cwic.cli", "cwic.info", "cwic.container", "cwic.models.catalog"])
def test_import_stays_free_of_torch_and_numpy(module: str) -> None:
    script = f"import sys, {module}; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    paths = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    answer = subprocess.run([sys.executable, "-c", script], env=paths, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("file", EVERY_FILE, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_file_is_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("file", [file for file in FILES if file.name not in UNMIRRORED], ids=_name)
def test_file_has_its_mirror(file: Path) -> None:
    mirror = ROOT / "tests" / file.relative_to(PACKAGE).with_name(f"test_{file.name}")
    assert mirror.is_file(), f"{mirror.relative_to(ROOT)} is missing"
