from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
machines = runpy.run_path(str(ROOT / "benchmarks" / "machines.py"))


def test_files_are_compared_by_their_latents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures, folder = tmp_path / "pictures", tmp_path / "files"
    pictures.mkdir()
    with Image.open(ROOT / "examples" / "chelsea.png") as photograph:
        for left in (0, 100):
            photograph.crop((left, 0, left + 96, 64)).save(pictures / f"{left}.png")
    assert machines["write"](pictures, folder, "cwic-s") == 0
    assert len(list(folder.glob("*.cwic"))) == 6
    assert machines["read"](folder) == 0
    assert capsys.readouterr().out == "6 files written\n6 files, 6 with the same latents\n"
    hashes = json.loads((folder / "latents.json").read_text())
    assert len(set(hashes.values())) == 6
    hashes["0.png-50.cwic"] = hashes["0.png-80.cwic"]
    (folder / "latents.json").write_text(json.dumps(hashes))
    damaged = folder / "100.png-20.cwic"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    assert machines["read"](folder) == 1
    told = capsys.readouterr()
    assert told.out == "6 files, 4 with the same latents\n0.png-50.cwic\n100.png-20.cwic\n"
    assert told.err.startswith("100.png-20.cwic: ")
