from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cwic.batch.entry import Entry
from cwic.batch.listing import Told
from cwic.batch.sources import entries_of
from cwic.batch.store import Target, read
from cwic.errors import InputError


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _found(source: object, places: Any, told: Told) -> list[Entry]:
    return sorted(entries_of(str(source), places.wanted(), told), key=lambda entry: entry.output)


def test_a_folder_and_one_picture(places: Any, told: Told) -> None:
    assert len(_found(places.source, places, told)) == 3
    one = _found(places.source / "sub" / "b.t", places, told)
    assert [(entry.size, entry.output) for entry in one] == [(2, "b.cwic")]
    for name in (places.source / "none", places.source / "none.txt", "memory://none-at-all"):
        with pytest.raises(InputError):
            _found(name, places, told)


def test_tars(places: Any, told: Told, tmp_path: Path, memory: str) -> None:
    files = {"0.t": b"zero", "0.json": b"{}", "d/1.t": b"one", "../out.t": b"x"}
    data = _tar(files)
    (tmp_path / "s-0.tar").write_bytes(data)
    (tmp_path / "s-1.tar").write_bytes(_tar({"2.t": b"two"}))
    Target(memory).write("s-0.tar", data)
    for source in (tmp_path / "s-0.tar", f"{memory}/s-0.tar"):
        found = _found(source, places, told)
        assert [entry.output for entry in found] == ["s-0/0.cwic", "s-0/d/1.cwic", "s-0/out.cwic"]
        assert "out of the target" in found.pop().problem
        for entry in found:
            assert read(entry.path, entry.offset, entry.size) == files[entry.member]
    assert [entry.output for entry in _found(tmp_path / "s-*.tar", places, told)][-1] == "s-1/2.cwic"
    (tmp_path / "s-2.tar").write_bytes(data[:700])
    assert len(_found(tmp_path / "s-2.tar", places, told)) == 1
    (tmp_path / "s-3.tar").write_bytes(b"no tar" * 200)
    _found(tmp_path / "s-3.tar", places, told)
    assert {name[-7:] for name, _ in told.unread} >= {"s-3.tar"}
    with pytest.raises(InputError, match="only tars"):
        _found(places.source / "*.t", places, told)


def test_a_list(places: Any, told: Told, tmp_path: Path, memory: str) -> None:
    Target(memory).write("far.t", b"far")
    (tmp_path / "near.t").write_text("near")
    lines = ["near.t", "", f"{memory}/far.t", str(places.source / "a.t"), "none.t", "../x.t", "source", "near.md"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "near.md").write_text("x")
    found = _found(tmp_path / "list.txt", places, told)
    good = {entry.output: entry.size for entry in found if not entry.problem}
    own = str(places.source).lstrip("/")
    assert good == {"near.cwic": 4, f"{memory.removeprefix('memory://')}/far.cwic": 3, f"{own}/a.cwic": 5}
    problems = {entry.output: entry.problem for entry in found if entry.problem}
    assert set(problems) == {"none.cwic", "x.cwic"}
    assert "cannot read the file" in problems["none.cwic"]
    assert "out of the target" in problems["x.cwic"]
    assert told.named == [str(tmp_path / "source"), str(tmp_path / "near.md")]


def test_a_parquet_list(places: Any, told: Told, tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"url": ["source/a.t", None, "source/bad.t"], "n": [1, 2, 3]}), tmp_path / "l.parquet")
    assert [entry.output for entry in _found(tmp_path / "l.parquet", places, told)] == [
        "source/a.cwic",
        "source/bad.cwic",
    ]
    parquet.write_table(pa.table({"n": [1]}), tmp_path / "n.parquet")
    with pytest.raises(InputError, match="no column path, url or uri"):
        _found(tmp_path / "n.parquet", places, told)
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="not a Parquet file"):
        _found(tmp_path / "x.parquet", places, told)
