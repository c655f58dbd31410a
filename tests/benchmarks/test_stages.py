from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from PIL import Image

from cwic.libraries import NONE, chosen

ROOT = Path(__file__).parents[2]


def test_stages_add_up_to_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CWIC_THREADS", "1")
    with Image.open(ROOT / "examples" / "coffee.png") as file:
        file.convert("RGB").crop((0, 0, 200, 120)).save(tmp_path / "a.png")
    main = runpy.run_path(str(ROOT / "benchmarks" / "stages.py"))["main"]
    main.__globals__.update(REPEATS=1, SIDE=64)
    main([str(tmp_path / "a.png"), "--model", "cwic-s"])
    text = capsys.readouterr().out
    for way, stages in (("encode", ["features of g_a", "symbols to bytes"]), ("decode", ["g_s", "bytes to symbols"])):
        block = text.split(f"\n{way}, cwic-s: ")[1].split("\n\n")[0].splitlines()
        whole = float(block[0].split()[0])
        rows = {line[:38].strip(): float(line[38:46]) for line in block[2:]}
        exact = ["h_s, exact", "context: blocks, exact"] if chosen() == NONE else ["the prior in C, exact"]
        assert {*exact, *stages} <= rows.keys()
        assert sum(rows.values()) == pytest.approx(whole, abs=len(rows))
