from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SPEED = Path(__file__).parents[2] / "benchmarks" / "speed.py"


@pytest.mark.usefixtures("fake_codec")
def test_prints_both_ways_beside_avif(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("CWIC_DATA", raising=False)
    main = runpy.run_path(str(SPEED))["main"]
    main.__globals__["REPEATS"] = 1
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("coffee.png at 768x512")
    assert [line.split()[0] for line in lines[-2:]] == ["encode", "decode"]
    for line in lines[-2:]:
        ours, theirs, ratio = map(float, line.split()[1:])
        assert ratio == pytest.approx(ours / theirs, rel=0.2, abs=0.1)
