from __future__ import annotations

from pathlib import Path

import pytest
import typer
from PIL import Image

from cwic.cli.pair import to_decode, to_encode
from cwic.container.header import MAGIC


@pytest.mark.parametrize(
    ("inputs", "pair"),
    [
        (["a.png", "b.cwic"], True),
        (["a", "b.CWIC"], True),
        (["-", "b.cwic"], True),
        (["a.cwic", "b.cwic"], False),
        (["a.png", "b.png"], False),
        (["a.png", "b.png", "c.cwic"], False),
        (["b.cwic"], False),
    ],
)
def test_two_names_to_encode(inputs: list[str], pair: bool) -> None:
    assert to_encode(inputs, None) == ((inputs[:1], inputs[1]) if pair else (inputs, None))
    assert to_encode(inputs, "out") == (inputs, "out")


@pytest.mark.parametrize(
    ("inputs", "pair"),
    [
        (["a.cwic", "b.png"], True),
        (["a.cwic", "b.JPG"], True),
        (["-", "b.webp"], True),
        (["a.cwic", "b.cwic"], False),
        (["a.cwic", "b"], False),
        (["a.cwic", "b.cwic", "c.png"], False),
        (["a.cwic"], False),
    ],
)
def test_two_names_to_decode(inputs: list[str], pair: bool) -> None:
    assert to_decode(inputs, None) == ((inputs[:1], inputs[1]) if pair else (inputs, None))
    assert to_decode(inputs, "out") == (inputs, "out")


def test_what_could_be_two_inputs_is_refused(tmp_path: Path) -> None:
    picture, coded, folder = tmp_path / "a.cwic", tmp_path / "b.png", tmp_path / "c.cwic"
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    coded.write_bytes(MAGIC + b"...")
    folder.mkdir()
    for inputs in (["x.png", str(picture)], ["x.png", str(folder)]):
        with pytest.raises(typer.BadParameter, match="named with -o"):
            to_encode(inputs, None)
    with pytest.raises(typer.BadParameter, match="-o must name"):
        to_encode([str(tmp_path), "new.cwic"], None)
    for inputs in (["x.cwic", str(coded)], ["x.png", "y.png"]):
        with pytest.raises(typer.BadParameter, match="named with -o"):
            to_decode(inputs, None)


def test_an_output_that_exists_is_an_output(tmp_path: Path) -> None:
    coded, picture = tmp_path / "a.cwic", tmp_path / "b.png"
    coded.write_bytes(MAGIC + b"...")
    Image.new("RGB", (8, 8)).save(picture)
    assert to_encode([str(picture), str(coded)], None) == ([str(picture)], str(coded))
    assert to_decode([str(coded), str(picture)], None) == ([str(coded)], str(picture))
    # Coded bytes under any name.
    other = coded.rename(tmp_path / "a.bin")
    assert to_decode([str(other), "new.png"], None) == ([str(other)], "new.png")
