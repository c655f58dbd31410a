from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

import cwic
from cwic.image.metadata import Metadata

Run = Callable[..., Any]


def test_a_file_manager_asks(run_cwic: Run, tmp_path: Path) -> None:
    (tmp_path / "a.cwic").write_bytes(cwic.encode(Image.new("RGB", (200, 100), (20, 90, 200))))
    target = tmp_path / "t.png"
    assert run_cwic("thumbnail", "--size", 50, tmp_path / "a.cwic", target)[:2] == (0, b"")
    with Image.open(target) as image:
        assert (image.size, image.format) == ((50, 25), "PNG")
    assert run_cwic("thumbnail", tmp_path / "a.cwic", target).code == 6
    assert run_cwic("thumbnail", "-f", tmp_path / "a.cwic", target).code == 0


def test_warnings_are_lines(run_cwic: Run, tmp_path: Path) -> None:
    cut = b"II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01"  # five entries, and not even one of them whole
    (tmp_path / "a.cwic").write_bytes(cwic.encode(Image.new("L", (64, 64)), metadata=Metadata(exif=cut)))
    answer = run_cwic("thumbnail", tmp_path / "a.cwic", tmp_path / "t.png")
    assert answer.code == 0
    lines = answer.err.splitlines()
    assert lines
    assert all(line.startswith(f"cwic: {tmp_path / 'a.cwic'}: ") and "Warning" not in line for line in lines)


def test_bad_files_and_usage(run_cwic: Run, tmp_path: Path) -> None:
    (tmp_path / "a.cwic").write_bytes(b"none")
    answer = run_cwic("thumbnail", tmp_path / "a.cwic", tmp_path / "t.png")
    assert (answer.code, answer.err.count("\n")) == (3, 1)
    assert not (tmp_path / "t.png").exists()
    assert run_cwic("thumbnail", tmp_path / "missing.cwic", tmp_path / "t.png").code == 1
    assert run_cwic("thumbnail", "--size", 0, tmp_path / "a.cwic", tmp_path / "t.png").code == 2
