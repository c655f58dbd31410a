from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cwic.errors import InputError
from cwic.evaluation.plot import MAX_CURVES, Line, draw, read_line

BPP, PSNR, MS_SSIM = [0.6, 0.1, 1.0], [32.0, 26.0, 35.0], [0.99, 0.9, 0.999]
Write = Callable[..., Path]


@pytest.fixture
def line(summary_file: Write) -> Line:
    return read_line(summary_file("one", {"bpp": BPP, "psnr-rgb": PSNR, "ms-ssim-rgb": MS_SSIM}))


def test_curves_by_rising_rate(line: Line) -> None:
    assert line.name == "one"
    assert [values.tolist() for values in line.curves["psnr"]] == [[0.1, 0.6, 1.0], [26, 32, 35]]
    assert line.curves["ms-ssim"][1] == pytest.approx([10, 20, 30])


def test_points_without_a_number_are_left_out(summary_file: Write) -> None:
    found = read_line(summary_file("a", {"bpp": BPP, "psnr": [None, 26, 35], "ms-ssim": [None] * 3}))
    assert list(found.curves) == ["psnr"]
    assert found.curves["psnr"][0].tolist() == [0.1, 1.0]


@pytest.mark.parametrize("results", [{"bpp": BPP}, {"bpp": BPP, "psnr": PSNR[1:]}, {"bpp": BPP, "psnr": ["a"] * 3}])
def test_nothing_to_draw(summary_file: Write, results: Any) -> None:
    with pytest.raises(InputError):
        read_line(summary_file("a", results))


def test_vector_files_hold_text_and_both_panels(line: Line) -> None:
    svg = draw([line, line._replace(name="other <&>")], ".svg", title="Kodak").decode()
    for text in ("PSNR, dB", "rate, bits per pixel", "MS-SSIM, ", "Kodak", "one", "other &lt;&amp;&gt;"):
        assert f">{text}" in svg or text in svg
    assert len(re.findall("rate, bits per pixel", svg)) >= 2


def test_the_same_curves_give_the_same_bytes(line: Line) -> None:
    assert draw([line], ".svg") == draw([line], ".svg")


def test_one_metric_has_one_panel(line: Line) -> None:
    psnr_only = line._replace(curves={"psnr": line.curves["psnr"]})
    assert b"MS-SSIM" not in draw([psnr_only], ".svg")


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_other_formats_and_a_limit(line: Line, suffix: str, magic: bytes) -> None:
    assert draw([line], suffix, max_bpp=0.7).startswith(magic)


def test_too_many_curves(line: Line) -> None:
    with pytest.raises(InputError, match="cannot be told apart"):
        draw([line] * (MAX_CURVES + 1), ".svg")


def test_without_matplotlib(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install cwic\[eval\]"):
        draw([line], ".svg")
