from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cwic

Run = Callable[..., Any]


@pytest.mark.parametrize("args", [[], ["models"], ["encode"], ["fly"], ["encode", "a.png", "--fly"]])
def test_wrong_usage_ends_with_2(run_cwic: Run, args: list[str]) -> None:
    assert run_cwic(*args).code == 2


@pytest.mark.parametrize("args", [["-h"], ["encode", "--help"], ["models", "show", "-h"]])
def test_help_goes_to_stdout(run_cwic: Run, args: list[str]) -> None:
    answer = run_cwic(*args)
    assert (answer.code, answer.err) == (0, "")
    assert b"Usage: cwic" in answer.out


def test_version(run_cwic: Run) -> None:
    assert run_cwic("--version").out.decode() == f"cwic {cwic.__version__}\n"


def test_a_shell_can_complete_names(run_cwic: Run) -> None:
    assert b"--install-completion" in run_cwic("-h").out
