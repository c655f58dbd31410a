from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_cell_runs_and_has_something_to_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES)
    cells = json.loads(Path("notebook.ipynb").read_text("utf-8"))["cells"]
    names: dict[str, Any] = {}
    shown = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            *_, last = source.strip().split("\n")
            exec(compile(source, "notebook", "exec"), names)
            if not last.startswith((" ", "print")):
                shown.append(eval(last, names))
    assert [type(image) for image in shown] == [Image.Image] * 3
    assert shown[0]._repr_png_().startswith(b"\x89PNG")
    assert "points of SSIMULACRA 2" in capsys.readouterr().out
