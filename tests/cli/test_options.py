from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import typer

from cwic.cli import cluster, encode, options

Run = Callable[..., Any]


@pytest.mark.parametrize("command", [("encode", "x.png"), ("batch", "x", "y")], ids=lambda words: words[0])
@pytest.mark.parametrize(
    "asked",
    [
        ("-q", "101"),
        ("-q", "nan"),
        ("--target-bpp", "0"),
        ("--target-ms-ssim", "1"),
        ("--target-ssimulacra2", "100"),
        ("--tile", "100"),
        ("-q", "5", "--target-psnr", "30"),
        ("--tune", "ear"),
        ("-e", "10"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused(run_cwic: Run, command: tuple[str, ...], asked: tuple[str, ...]) -> None:
    assert run_cwic(*command, *asked).code == 2


def test_a_quality_or_one_target() -> None:
    options.check(None, 5.0, None, tune="psnr")
    with pytest.raises(typer.BadParameter, match="not several"):
        options.check(1.0, 5.0, tune=None)
    with pytest.raises(typer.BadParameter, match="--tune ear"):
        options.check(tune="ear")


def test_batch_codes_with_the_options_of_encode() -> None:
    one, other = (inspect.signature(f).parameters for f in (encode.encode, cluster.run))
    of_files = {"inputs", "output", "verbose", "jobs", "skip_existing"}
    for name in set(one) - of_files:
        assert (one[name].annotation, one[name].default) == (other[name].annotation, other[name].default), name
