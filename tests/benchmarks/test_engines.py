from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from PIL import Image

from cwic.libraries import NONE, chosen

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(chosen() == NONE, reason="no C compiler was found when cwic was installed")
def test_our_own_engine_is_compared_with_float32(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(ROOT / "examples" / "coffee.png") as image:
        image.convert("RGB").crop((180, 120, 372, 248)).save(tmp_path / "a.png")
    main = runpy.run_path(str(ROOT / "benchmarks" / "engines.py"))["main"]
    main.__globals__.update(QUALITIES=(50,))
    main([str(tmp_path), "--model", "cwic-s"])
    row = capsys.readouterr().out.splitlines()[-1].replace("%", "").replace("dB", "").split()
    loss, others, most, size, gain = map(float, row[2:])
    assert row[:2] == ["cwic-s,", "50"]
    assert abs(loss) < 0.01
    assert 0 < others < 5
    assert most == 1
    assert abs(size) < 0.5
    assert abs(gain) < 0.05
