from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="there is no Chromium")
def test_the_page_is_measured() -> None:
    pytest.importorskip("playwright.sync_api")
    command = [sys.executable, str(ROOT / "benchmarks" / "page.py"), "--repeats", "1"]
    paths = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    sizes = ["--size", "96x64", "--large", "200x150"]
    ended = subprocess.run([*command, *sizes], env=paths, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ended.stdout.splitlines() if line[:1] == "|"]
    one, several = rows[2:4]
    assert one[0] == "1"
    assert int(several[0]) >= 1
    for row in (one, several):
        assert 4 < float(row[1]) < 6  # without ONNX Runtime Web, which has 3.7
        first_small, first_whole, small, whole = map(int, row[2:])
        assert 0 < first_small < first_whole
        assert 0 < small <= whole
    large = {row[0]: row[1] for row in rows[5:]}
    assert large["whole blocks"] == "1"
    assert float(large["100 % of them, s"]) > 0
