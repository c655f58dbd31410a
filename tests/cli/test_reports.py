from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cwic
from cwic.cli import reports
from cwic.errors import InputError


def test_names_are_said_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    reports.complain("caf\udce9\n.png", InputError("bad"))
    assert capsys.readouterr().err == "cwic: caf\\xe9\\n.png: bad\n"


def test_json_is_valid_whatever_a_file_is_called(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n.cwic")
    Path(name).write_bytes(cwic.encode(np.zeros((8, 8), np.uint8)))
    command = [sys.executable, "-m", "cwic", "info", "--json", name]
    for variables in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **variables})
        found = json.loads(done.stdout.decode("utf-8", "strict"))
        assert found["file"].encode() == os.fsencode(tmp_path) + b"/caf\\xe9 \n.cwic"
