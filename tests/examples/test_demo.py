from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def demo(load_example: Callable[[str], ModuleType]) -> ModuleType:
    return load_example("demo")


@pytest.mark.usefixtures("fake_codec")
def test_table_and_picture(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "OUTPUT", tmp_path / "output" / "comparison.png")
    monkeypatch.setattr(demo, "QUALITIES", (demo.SHOWN_QUALITY,))
    monkeypatch.setattr(demo, "REPEATS", 1)
    demo.main()
    out = capsys.readouterr().out
    for part in (
        "coffee.png",
        "chelsea.png",
        "cwic-s q20",
        "cwic-m q50",
        "JPEG q95",
        "WebP q95",
        "MS-SSIM",
        "decode ms",
    ):
        assert part in out
    assert str(tmp_path / "output" / "comparison.png") in out.replace("\n", "")
    with Image.open(tmp_path / "output" / "comparison.png") as sheet:
        assert sheet.width > 5 * 400


@pytest.mark.parametrize(("size", "quality"), [(1, 1), (505, 50), (509, 51), (10_000, 95)])
def test_nearest(demo: ModuleType, size: int, quality: int) -> None:
    assert demo.nearest(size, lambda q: bytes(10 * q)) == quality


def test_every_photograph_is_credited(demo: ModuleType) -> None:
    credits = (EXAMPLES / "README.md").read_text("utf-8")
    for name in {path.name for path in EXAMPLES.glob("*.png")} | set(demo.PHOTOGRAPHS):
        assert f"`{name}`" in credits
