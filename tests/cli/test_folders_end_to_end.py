"""Folders with the real codec: several processes, kills and interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic

Run = Callable[..., Any]
COUNT = 6


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(COUNT):
        small = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
        path = folder / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((140, 130), Image.Resampling.BICUBIC).save(path)
    return folder


def _start(photos: Path, out: Path, *options: str, **started: Any) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-m", "cwic", "encode", str(photos), "-o", str(out), "-j", "2", *options]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **started,
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _wait_for(process: subprocess.Popen[str], out: Path, count: int) -> None:
    while process.poll() is None and len(list(out.rglob("*.cwic"))) < count:
        sleep(0.005)


def _identities(out: Path) -> dict[Path, Sequence[int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.rglob("*.cwic")}


def test_a_killed_run_goes_on_to_the_same_outputs(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before: dict[Path, Sequence[int]] = {}
    for count in (1, 4):
        with _start(photos, out, "--skip-existing") as process:
            _wait_for(process, out, count)
            process.kill()
        now = _identities(out)
        assert count <= len(now) <= COUNT
        assert now.items() >= before.items()
        before = now
    with _start(photos, out, "--skip-existing", "--json") as process:
        said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert said.count('"skipped": true') == len(before)
    assert len(said.splitlines()) == COUNT
    assert _identities(out).items() >= before.items()
    expected = {
        f"{number % 2}/{number}.cwic": cwic.encode(photos / str(number % 2) / f"{number}.png")
        for number in range(COUNT)
    }
    assert _files(out) == expected


def test_an_interrupt_ends_all_at_once_and_leaves_whole_files(
    photos: Path, tmp_path: Path, heeding_interrupts: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    with _start(
        photos, out, "--tune", "psnr", "--target-psnr", "35", **heeding_interrupts
    ) as process:  # which takes several times as long
        _wait_for(process, out, 1)
        start = monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to all of them
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert errors == ""
    assert monotonic() - start < 20
    left = _files(out)
    assert left
    assert all(name.endswith(".cwic") for name in left)
    assert all(cwic.read_info(data).width == 140 for data in left.values())


def test_bytes_do_not_depend_on_jobs(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    options = ("--tile", "128", "-q", "30", "--include", "[0-3].png")
    for jobs in (1, 2):
        assert run_cwic("encode", photos, "-o", tmp_path / f"out{jobs}", "-j", jobs, *options).code == 0
        assert run_cwic("encode", photos / "0" / "0.png", tmp_path / f"{jobs}.cwic", "-j", jobs, *options[:4]).code == 0
    assert _files(tmp_path / "out1") == _files(tmp_path / "out2")
    assert (tmp_path / "1.cwic").read_bytes() == (tmp_path / "2.cwic").read_bytes()
    for jobs in (1, 2):
        assert run_cwic("decode", tmp_path / "out1", "-o", tmp_path / f"back{jobs}", "-j", jobs).code == 0
    assert len(_files(tmp_path / "back1")) == 4
    assert _files(tmp_path / "back1") == _files(tmp_path / "back2")
