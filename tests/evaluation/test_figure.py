from __future__ import annotations

import base64
import re
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.evaluation.figure import Box, draw
from cwic.evaluation.match import Match
from cwic.image.picture import as_picture

PICTURE = as_picture(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
MATCHES = [Match(name, 30, 0.2, 31.5, PICTURE.rgb) for name in ("one", "two")]
BOX = Box(10, 5, 20, 16)


def test_a_box_is_a_part() -> None:
    assert BOX.of(PICTURE.rgb).shape == (16, 20, 3)
    Box(0, 0, 60, 40).check(PICTURE)


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 0, 5), (50, 0, 11, 5), (0, 39, 5, 2)])
def test_a_box_must_lie_within_the_picture(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError, match="which is 60x40"):
        draw(PICTURE, "a.png", Box(*box), MATCHES, ".png")


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
@pytest.mark.parametrize("count", [1, 2])
def test_printed_figures(suffix: str, magic: bytes, count: int) -> None:
    data = draw(PICTURE, "a.png", BOX, MATCHES[:count], suffix)
    assert data.startswith(magic)
    if suffix == ".svg":
        text = data.decode()
        assert all(part in text for part in ("original", "a.png", "0.200 bpp / 31.50 dB"))


def test_the_page_stands_alone() -> None:
    page = draw(PICTURE, "<a>.png", BOX, MATCHES, ".html").decode()
    assert "&lt;a&gt;.png" in page
    assert "<a>" not in page
    assert "<figcaption>one 0.200 bpp / 31.50 dB</figcaption>" in page
    sources = re.findall(r'src="([^"]+)"', page)
    assert len(sources) == 4
    assert "http" not in page
    prefix = "data:image/png;base64,"
    assert all(source.startswith(prefix) for source in sources)
    images = [np.asarray(Image.open(BytesIO(base64.b64decode(source.removeprefix(prefix))))) for source in sources]
    assert np.array_equal(images[0], PICTURE.rgb)
    assert all(np.array_equal(image, BOX.of(PICTURE.rgb)) for image in images[1:])


def test_only_the_page_needs_no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    draw(PICTURE, "a", BOX, MATCHES, ".html")
    with pytest.raises(InputError, match=r"pip install cwic\[eval\]"):
        draw(PICTURE, "a", BOX, MATCHES, ".png")
