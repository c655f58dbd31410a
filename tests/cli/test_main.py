from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is full here")
@pytest.mark.parametrize("args", [["models", "list"], ["encode", "--help"], ["--version"]])
def test_results_that_cannot_be_written_are_one_line(args: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([sys.executable, "-m", "cwic", *args], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode() == f"cwic: the results cannot be written: {os.strerror(errno.ENOSPC)}\n"


def test_a_shell_can_complete_names(run_cwic: Run) -> None:
    assert b"--install-completion" in run_cwic("-h").out
