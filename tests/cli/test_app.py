from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer

from cwic.cli.app import COMMANDS, app_of


def test_an_app_has_the_commands_that_it_is_asked_for() -> None:
    for names in (COMMANDS, ["batch", "info"], ["eval"]):
        group: Any = typer.main.get_command(app_of(names))
        assert sorted(group.commands) == sorted(names)


def test_help_lists_every_command(run_cwic: Callable[..., Any]) -> None:
    listed = run_cwic("--help").out.decode().partition("Commands:\n")[2]
    assert {line.split()[0] for line in listed.splitlines() if line[:3].strip()} == set(COMMANDS)


@pytest.mark.parametrize("line", ["cwic en", "cwic encode --qual"])
def test_completion_knows_every_command(line: str) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1), "_CWIC_COMPLETE": "complete_bash"}
    script = f"import os, sys; os.environ |= {words}; sys.argv = {line.split()}; from cwic.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stdout.split() == [{"cwic en": "encode"}.get(line, "--quality")]


@pytest.mark.parametrize(
    ("command", "others"), [("info", {"encode", "eval", "train"}), ("encode", {"cluster", "eval"})]
)
def test_a_run_imports_its_own_command_alone(command: str, others: set[str]) -> None:
    script = (
        f"import sys; sys.argv = ['cwic', '{command}', '-h']; from cwic.cli import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "print(*(name for name in sys.modules if name.startswith('cwic.cli.')), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found = {name.removeprefix("cwic.cli.") for name in ended.stderr.split()}
    assert command in found
    assert not found & others


def test_the_package_of_commands_imports_nothing() -> None:
    script = "import sys; before = set(sys.modules); import cwic.cli; print(*sorted(set(sys.modules) - before))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"typer", "cwic.cli.app", "cwic.image"} & set(ended.stdout.split())
