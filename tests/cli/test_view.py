from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
SOURCE = Path(__file__).parents[2] / "src"

Run = Callable[..., Any]


@pytest.mark.skipif(sys.platform == "win32", reason="ends by a signal")
def test_the_page_is_there_until_it_is_interrupted(heeding_interrupts: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "cwic", "view", "--no-browser", str(GOLDEN / "cwic_m.cwic")]
    paths = os.environ | {"PYTHONPATH": str(SOURCE)}
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=paths, **piped, **heeding_interrupts) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", url)
        with urllib.request.urlopen(url) as answer:
            assert b"viewer.js" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_files_that_cannot_be_shown(run_cwic: Run, tmp_path: Path) -> None:
    ended = run_cwic("view", "--no-browser", str(tmp_path / "missing.cwic"))
    assert ended.code == 1
    assert "missing.cwic" in ended.err


def test_the_page_in_a_folder(run_cwic: Run, tmp_path: Path) -> None:
    ended = run_cwic("view", "--write", str(tmp_path / "site"), "-m", "cwic-s")
    assert ended.code == 0
    assert (tmp_path / "site" / "index.html").is_file()
    assert run_cwic("view", "--write", str(tmp_path / "site"), "-m", "cwic-s").code == 6
    assert run_cwic("view", "-m", "cwic-s").code == 2
