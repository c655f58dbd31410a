"""Damaged files in the page's decoder, run by Node: the short version of web/test/mutations.mjs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cwic.view.page_model import page_model, page_models

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_damaged_files_end_in_typed_errors(tmp_path: Path) -> None:
    for file, name in page_models().items():
        if name == "cwic-s-1":
            (tmp_path / file).write_bytes(page_model(name, analysis="-analysis" in file))
    files = [str(GOLDEN / f"{name}.cwic") for name in ("cwic_s", "cwic_s_tiled")]
    command = ["node", str(ROOT / "web" / "test" / "mutations.mjs"), str(tmp_path), "150", *files]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counts = json.loads(ended.stdout.splitlines()[-1])
    assert counts["files"] == 150
    assert counts["FormatError"] > 100
    assert counts["wrong"] == 0
