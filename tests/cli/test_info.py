from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cwic.container import EXIF, TILE, Chunk, Header, pack_tile, write_container

Run = Callable[..., Any]
DATA = write_container(Header(b"fake", 64, 48, "RGB", 500), [Chunk(EXIF, b"exif"), Chunk(TILE, pack_tile(0, b"coded"))])


@pytest.mark.usefixtures("fake_codec")
def test_text_and_json(run_cwic: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.cwic"
    path.write_bytes(DATA)
    answer = run_cwic("info", path)
    assert answer.code == 0
    text = answer.out.decode()
    for part in (
        "64x48 RGB",
        "quality   50",
        "cwic-s-eye (66616b65)",
        f"{len(DATA)} bytes",
        "1x1, 7 bytes",
        "EXIF",
    ):
        assert part in text
    record = json.loads(run_cwic("info", "--json", "-", stdin=DATA).out)
    assert record["file"] == "-"
    assert record["tiles"] == [1, 1]
    assert record["chunks"][1] == {"type": "T", "name": "tile", "offset": DATA.index(b"T"), "bytes": 7}


@pytest.mark.usefixtures("fake_codec")
def test_damaged_files_are_named_and_do_not_stop_the_others(run_cwic: Run, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.cwic", tmp_path / "good.cwic"
    bad.write_bytes(DATA[:-1] + b"?")
    good.write_bytes(DATA)
    answer = run_cwic("info", bad, good)
    assert answer.code == 3
    assert str(bad) in answer.err
    assert str(good) in answer.out.decode()


@pytest.mark.usefixtures("fake_codec")
def test_limits_are_lifted_for_trusted_files(run_cwic: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.cwic"
    path.write_bytes(write_container(Header(b"fake", 9000, 9000, "RGB", 500), [Chunk(TILE, pack_tile(0, b""))]))
    assert run_cwic("info", path).code == 3
    assert run_cwic("info", path, "--no-limits").code == 0


def test_needs_neither_torch_nor_numpy(tmp_path: Path) -> None:
    (tmp_path / "a.cwic").write_bytes(DATA)
    script = (
        "import sys; sys.modules['torch'] = sys.modules['numpy'] = sys.modules['PIL'] = None\n"
        "from cwic.cli import main; sys.argv = ['cwic', 'info', 'a.cwic']; main()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
