from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation.summary_file import has_metric, points, read_summary

BPP, PSNR = [0.3, 0.1], [29.0, 26.0]
Write = Callable[..., Path]


@pytest.mark.parametrize("key", ["psnr-rgb", "psnr"])
def test_either_name_in_the_order_of_the_file(summary_file: Write, key: str) -> None:
    summary = read_summary(summary_file("a", {"bpp": BPP, key: PSNR}))
    assert points(summary, "psnr").tolist() == [BPP, PSNR]
    assert has_metric(summary, "psnr")
    assert not has_metric(summary, "ms-ssim")


def test_ms_ssim_is_in_db() -> None:
    summary = {"results": {"bpp": [1, 2, 3], "ms-ssim-rgb": [0.9, 0.99, None]}}
    assert points(summary, "ms-ssim")[1] == pytest.approx([10, 20, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"bpp": BPP}, "has no psnr-rgb"),
        ({"bpp": BPP, "psnr": []}, "has no psnr-rgb"),
        ({"bpp": BPP, "psnr": ["a", "b"]}, "two lists of numbers"),
        ({"psnr": PSNR}, "two lists of numbers"),
        ({"bpp": BPP, "psnr": 3}, "two lists of numbers"),
        ({"bpp": 2, "psnr": 3}, "two lists of numbers"),
        ({"bpp": BPP, "psnr": PSNR[1:]}, "two lists of numbers"),
    ],
)
def test_other_results(results: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        points({"results": results}, "psnr")


@pytest.mark.parametrize("content", [b"\xff{", b"[]", b"{}", b'{"results": []}'])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="not a summary"):
        read_summary(tmp_path / "a")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_summary(tmp_path / "a")
