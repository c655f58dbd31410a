from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = 2  # what every line of a table begins with: a way and a start


@pytest.fixture
def script(load_script: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("CWIC_DATA", raising=False)
    script = load_script(ROOT / "benchmarks" / "speed.py")
    monkeypatch.setitem(script.SIZES, "small", (192, 128))
    return script


def test_all_take_turns_and_are_kept(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "KEPT", tmp_path)
    options = ["--runs", "1", "--threads", "1", "--model", "cwic-s", "--against", str(ROOT / "src"), "--name", "itself"]
    script.main([*options, "--keep"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("coffee.png at 192x128")
    assert re.search(r"(native|(onnxruntime|openvino) [\d.]+); library in C: \w+; libavif", lines[1])
    assert lines[-5].split() == ["cwic", "AVIF", "other", "/AVIF", "/other", "cores"]
    for line in lines[-4:]:
        ours, theirs, other, beside_avif, beside_other, *_ = map(float, line.split()[COLUMNS:])
        for ratio, seconds in ((beside_avif, theirs), (beside_other, other)):
            # Of seconds that are printed to the millisecond.
            least, most = (ours - 0.0005) / (seconds + 0.0005), (ours + 0.0005) / max(seconds - 0.0005, 1e-9)
            assert least - 0.01 <= ratio <= most + 0.01
    rows = json.loads((tmp_path / "times.json").read_text())
    assert {(row["kind"], row["start"], row["way"]) for row in rows} == {
        (kind, start, way)
        for kind in ("cwic", "AVIF", "itself")
        for start in ("loaded", "command")
        for way in ("encode", "decode")
    }
    assert all(row["seconds"] > 0 and row["bytes"] > 0 and row["threads"] == row["runs"] == 1 for row in rows)

    script.main(["--runs", "1", "--threads", "1", "--model", "cwic-s", "--keep"])
    again = json.loads((tmp_path / "times.json").read_text())
    assert {row["kind"] for row in again} == {"cwic", "AVIF"}  # the rows of one measurement replace one another


def test_a_version_that_cannot_run_is_said(script: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cwic").mkdir()
    (tmp_path / "cwic" / "__init__.py").write_text("raise ImportError('too old')")
    script.main(["--runs", "1", "--threads", "1", "--model", "cwic-s", "--against", str(tmp_path)])
    out, err = capfd.readouterr()
    assert "other cwic-s: a process ended" in err
    assert out.splitlines()[-5].split() == ["cwic", "AVIF", "/AVIF", "cores"]
    with pytest.raises(SystemExit):
        script.main(["--against", str(tmp_path / "cwic")])
