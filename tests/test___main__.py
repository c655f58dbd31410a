from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cwic


def test_it_is_the_command_line() -> None:
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-m", "cwic", "--version"]
    answer = subprocess.run(command, env=paths, capture_output=True, text=True, check=True)
    assert answer.stdout == f"cwic {cwic.__version__}\n"
