"""Any bytes end in a picture or in an error of a closed list; any picture comes back."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from random import Random
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import cwic
from cwic.container import read_container, write_container
from cwic.container.salvage import salvage
from cwic.image.fidelity import psnr

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").iterdir())


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutate = _load("mutate")
WORST = _load("content").worst_cases(96)


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    return _load("seeds").seeds()


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_the_corpus_ends_in_allowed_errors(file: Path) -> None:
    data = file.read_bytes()
    for work in (read_container, salvage, cwic.decode, cwic.recover, cwic.read_info):
        mutate.outcome(work, data)


@pytest.mark.parametrize("mutation", mutate.MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_mutated_containers_end_in_allowed_errors(seeds: list[bytes], mutation: object) -> None:
    random = Random(0)
    ends = set()
    for _ in range(300):
        data = mutation(random.choice(seeds), random, seeds)
        ends.add(mutate.outcome(read_container, data))
        mutate.outcome(salvage, data)
    assert "FormatError" in ends or mutation.__name__ == "change_dimensions"


@pytest.mark.parametrize("mutation", mutate.MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_mutated_files_end_in_allowed_errors(seeds: list[bytes], mutation: object) -> None:
    random = Random(1)
    for work in (cwic.decode, cwic.decode, cwic.recover):
        mutate.outcome(work, mutation(random.choice(seeds), random, seeds))


@given(st.binary(max_size=100))
def test_noise_ends_in_allowed_errors(noise: bytes) -> None:
    for start in (b"", b"\x89CW", b"\x89CW\1", b"\x89CW\1" + b"cwic" + b"\0\4\1\1"):
        for work in (read_container, salvage, cwic.read_info):
            mutate.outcome(work, start + noise)


MODES = {"L": (), "RGB": (3,), "LA": (2,), "RGBA": (4,)}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    height=st.integers(1, 140),
    width=st.integers(1, 140),
    mode=st.sampled_from(sorted(MODES)),
    content=st.sampled_from(["noise", "flat", "text", "gradient", "checkerboard"]),
    quality=st.integers(0, 1000),
    tile=st.sampled_from([None, 128]),
)
def test_any_picture_comes_back(
    height: int, width: int, mode: str, content: str, quality: int, tile: int | None
) -> None:
    picture = WORST.get(content, WORST["red"]).convert(mode.removesuffix("A")).resize((width, height))
    if mode.endswith("A"):
        picture.putalpha(WORST["grey noise"].resize((width, height)))
    decoded = cwic.decode(cwic.encode(picture, quality=quality / 10, tile=tile))
    assert (decoded.mode, decoded.size) == (mode, (width, height))
    if mode.endswith("A"):
        assert decoded.getchannel("A").tobytes() == picture.getchannel("A").tobytes()


@pytest.mark.parametrize("name", ["noise", "binary noise", "colour checks", "text", "blue"])
def test_worst_cases_stay_small_and_look_like_themselves(name: str) -> None:
    pixels = np.asarray(WORST[name])
    assert len(cwic.encode(pixels, quality=100)) < 1.1 * pixels.size
    data = cwic.encode(pixels, quality=90)
    assert len(data) < 1.1 * pixels.size
    assert psnr(pixels, np.asarray(cwic.decode(data))) > 15


def test_a_short_file_cannot_claim_a_large_picture(seeds: list[bytes]) -> None:
    header, chunks = read_container(seeds[1])
    claim = write_container(replace(header, width=4000, height=4000), chunks)
    with pytest.raises(cwic.FormatError, match="more symbols than the data can hold"):
        cwic.decode(claim)


def test_cut_files_end_in_allowed_errors(seeds: list[bytes]) -> None:
    """Some with other damage before the cut, which nothing can find."""
    random = Random(2)
    ends = set()
    for _ in range(12):
        data = mutate.truncate(random.choice(seeds), random, seeds)
        if data and random.random() < 0.5:
            data = mutate.flip_bits(data, random, seeds)
        ends.add(mutate.outcome(cwic.recover, data))
    assert ends >= {"decoded", "FormatError"}


def test_a_short_file_that_is_cut_cannot_claim_a_large_picture(seeds: list[bytes]) -> None:
    header, chunks = read_container(seeds[1])
    claim = write_container(replace(header, width=4000, height=4000), chunks)
    with pytest.raises(cwic.FormatError, match="nothing can be recovered"):
        cwic.recover(claim[:-5])


def test_pixels_are_not_needed_to_refuse_a_bomb() -> None:
    with pytest.raises(cwic.LimitError):
        cwic.encode(Image.new("L", (20_000, 10_000)))
