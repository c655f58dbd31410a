from __future__ import annotations

import json

import pytest

from cwic.cli.job import shown
from cwic.records import to_json


@pytest.mark.parametrize(
    "name", ["caf\udce9.png", "\ud800\udce9", "\udcc3\udca9\udcff", "a\nb\0", "caf\u00e9 \U0001f600", ""]
)
def test_any_name_is_valid_json(name: str) -> None:
    line = to_json({"file": name, name: [name]}).encode("ascii")
    found = json.loads(line.decode("utf-8", "strict"))
    found["file"].encode("utf-8")  # no half of a letter is left
    assert found == {"file": found["file"], found["file"]: [found["file"]]}
    if "\udcff" not in name and "\ud800" not in name and name.isprintable():
        assert found["file"] == name


def test_bytes_that_are_no_text_are_as_messages_show_them() -> None:
    name = "caf\udce9 \udcff.png"
    assert json.loads(to_json(name)) == shown(name) == "caf\\xe9 \\xff.png"


def test_json_has_neither_nan_nor_infinity() -> None:
    record = {"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (float("-inf"), None, True)}}
    assert json.loads(to_json(record)) == {"a": None, "b": [1.5, None], "c": {"d": [None, None, True]}}


def test_indented() -> None:
    assert to_json([1], indent=1) == "[\n 1\n]"
