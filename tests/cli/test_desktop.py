from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cwic
from cwic.cli import desktop
from cwic.container.header import MAGIC

Run = Callable[..., Any]


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path / "share"


def test_install_and_uninstall(run_cwic: Run, data_home: Path) -> None:
    files = [data_home / "mime" / "packages" / "cwic.xml", data_home / "thumbnailers" / "cwic.thumbnailer"]
    for _ in range(2):  # again renews them
        answer = run_cwic("desktop", "install", "--user")
        assert (answer.code, answer.out.decode().split()) == (0, [str(file) for file in files])
    kind = ElementTree.parse(files[0]).getroot()[0]
    assert kind.get("type") == desktop.MIME_TYPE == Image.MIME.get("CWIC", desktop.MIME_TYPE)
    answer = run_cwic("desktop", "uninstall", "--user")
    assert (answer.code, len(answer.out.split())) == (0, 2)
    assert not any(file.exists() for file in files)
    assert run_cwic("desktop", "uninstall").code == 0


def test_the_magic_is_that_of_the_format() -> None:
    value = ElementTree.fromstring(desktop._MIME)[0].find("*[@priority]")[0].get("value")  # type: ignore[index]
    assert value is not None
    assert value.encode().decode("unicode_escape").encode("latin-1") == MAGIC


def test_the_thumbnailer_makes_thumbnails(run_cwic: Run, data_home: Path, tmp_path: Path) -> None:
    run_cwic("desktop", "install")
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(data_home / "thumbnailers" / "cwic.thumbnailer")
    section = entry["Thumbnailer Entry"]
    assert shutil.which(section["TryExec"])
    (tmp_path / "a.cwic").write_bytes(cwic.encode(Image.new("RGB", (160, 80), (20, 90, 200))))
    places = {"%s": "32", "%i": str(tmp_path / "a.cwic"), "%o": str(tmp_path / "t.png")}
    subprocess.run([places.get(word, word) for word in shlex.split(section["Exec"])], check=True)
    with Image.open(tmp_path / "t.png") as image:
        assert image.size == (32, 16)


def test_a_desktop_without_the_database(run_cwic: Run, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    answer = run_cwic("desktop", "install")
    assert (answer.code, "update-mime-database is not here" in answer.err) == (0, True)


def test_a_folder_that_cannot_be_written(run_cwic: Run, data_home: Path) -> None:
    data_home.write_text("a file")
    answer = run_cwic("desktop", "install")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
