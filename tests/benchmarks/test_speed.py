from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("fake_codec")


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The script's, for one run of one model."""
    monkeypatch.delenv("CWIC_DATA", raising=False)
    main = runpy.run_path(str(ROOT / "benchmarks" / "speed.py"))["main"]
    main.__globals__.update(REPEATS=1, MODELS=("cwic-s",))
    return main


def _numbers(line: str) -> list[float]:
    return [float(word) for word in line.split()[1:]]


def test_prints_both_ways_beside_avif(main: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("coffee.png at 768x512")
    assert lines[1].startswith(("onnxruntime ", "openvino "))
    assert [line.split()[0] for line in lines[-2:]] == ["encode", "decode"]
    for line in lines[-2:]:
        ours, theirs, ratio = _numbers(line)
        assert ratio == pytest.approx(ours / theirs, rel=0.2, abs=0.1)


def test_another_version_takes_its_turn(main: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    main(["--against", str(ROOT / "src")])
    lines = capsys.readouterr().out.splitlines()
    assert "; other: " in lines[-4]
    assert lines[-3].split()[-2:] == ["other", "cwic/other"]
    for line in lines[-2:]:
        ours, _, _, other, ratio = _numbers(line)
        assert other > 0
        assert ratio == pytest.approx(ours / other, rel=0.2, abs=0.1)


def test_a_version_that_cannot_run_is_said(
    main: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cwic").mkdir()
    (tmp_path / "cwic" / "__init__.py").write_text("raise ImportError('too old')")
    main(["--against", str(tmp_path)])
    out = capsys.readouterr().out
    assert f"{tmp_path} has no cwic-s, or cannot run it" in out
    assert len(_numbers(out.splitlines()[-1])) == 3
    with pytest.raises(SystemExit):
        main(["--against", str(tmp_path / "cwic")])
