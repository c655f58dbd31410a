"""`cwic data`: the commands around the sets. Downloads and shards have tests of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cwic.errors import InputError

Run = Callable[..., Any]


@pytest.mark.parametrize("name", ["kodak", "clic"])
def test_a_set_is_fetched_by_name(run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from cwic.training import download

    monkeypatch.setattr(download, "fetch", lambda files, folder: [folder / file.name for file in files])
    answer = run_cwic("data", name, "--to", tmp_path, "--json")
    assert answer.code == 0
    assert len(json.loads(answer.out)["files"]) == {"kodak": 24, "clic": 1}[name]


def test_offline_it_ends_in_one_line(run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cwic.training import download

    def fail(*_: object) -> None:
        raise InputError("cannot download x; is this machine online?")

    monkeypatch.setattr(download, "fetch", fail)
    answer = run_cwic("data", "kodak", "--to", tmp_path)
    assert (answer.code, answer.err.strip()) == (1, "cwic: kodak: cannot download x; is this machine online?")


def test_without_torch_no_shards(run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = run_cwic("data", "shard", tmp_path, "--to", tmp_path / "out")
    assert (answer.code, answer.err) == (1, f"cwic: {tmp_path}: torch is not installed: pip install cwic[train]\n")


def test_a_folder_is_packed(run_cwic: Run, tmp_path: Path) -> None:
    pytest.importorskip("webdataset")
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    answer = run_cwic("data", "shard", tmp_path / "in", "--to", tmp_path / "out")
    assert answer.code == 0
    assert "1 pictures in 1 shards, 1 skipped" in answer.out.decode()
    assert "b.png" in answer.err
    assert run_cwic("data", "shard", tmp_path / "none", "--to", tmp_path / "other").code == 1
