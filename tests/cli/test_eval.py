"""Which command of `cwic eval` a command line means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_measuring_is_the_default(run_cwic: Run, tmp_path: Path) -> None:
    for args in (["eval", tmp_path], ["eval", "-c", "jpeg", tmp_path], ["eval", "measure", tmp_path]):
        answer = run_cwic(*args, "-o", tmp_path / "out")
        assert answer.code == 1
        assert "no pictures" in answer.err


def test_help_names_the_commands(run_cwic: Run) -> None:
    out = run_cwic("eval", "-h").out.decode()
    assert all(name in out for name in ("measure", "bd", "plot", "figure", "short"))
    assert "--codec" in run_cwic("eval", "measure", "-h").out.decode()


@pytest.mark.parametrize("args", [["eval"], ["eval", "--fly"], ["bd", "a", "b"]])
def test_wrong_usage(run_cwic: Run, args: list[str]) -> None:
    assert run_cwic(*args).code == 2
