"""The drawings of docs/architecture.md are those that the script makes, and all of each is inside its frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def drawings(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / "tools" / "drawings.py")


@pytest.mark.parametrize("name", ["data-path.svg", "cwic.svg", "cwam2024.svg"])
def test_the_committed_drawing_is_current_and_whole(drawings: ModuleType, name: str) -> None:
    text = drawings.svg(drawings.DRAWINGS[name])
    assert (drawings.IMAGES / name).read_text("utf-8") == text, "python tools/drawings.py draws it anew"
    root = ElementTree.fromstring(text)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    spots = [(float(x), float(y)) for x, y in re.findall(r'<(?:rect|text) x="([\d.]+)" y="([\d.]+)"', text)]
    assert len(spots) > 50
    assert all(0 < x < width and 0 < y < height for x, y in spots)


def test_every_arrow_joins_boxes_and_no_line_is_too_long(drawings: ModuleType) -> None:
    for drawing in drawings.DRAWINGS.values():
        names = [box.name for box in drawing.boxes]
        assert len(set(names)) == len(names)
        assert {end for arrow in drawing.arrows for end in (arrow.start, arrow.end)} <= set(names)
        assert max(len(line) for box in drawing.boxes for line in box.lines) <= 25


def test_the_sizes_are_those_of_the_catalogue() -> None:
    """The drawing says 320 and 384 channels, and 3 and 10, 4 and 16 blocks."""
    from cwic.models.catalog import CATALOG

    small, middle = (CATALOG[name].config for name in ("cwic-s", "cwic-m"))
    assert (small.M, middle.M) == (320, 384)
    assert (small.analysis_blocks, middle.analysis_blocks) == (3, 10)
    assert (small.synthesis_blocks, middle.synthesis_blocks) == (4, 16)
