"""The rules of the house for prose find what they are for, and leave code and tables alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prose(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / "tools" / "prose.py")


def test_code_tables_headings_and_targets_are_no_prose(prose: ModuleType) -> None:
    text = "# the the\n\nSee [it](a/the/the.md) and `the the`.\n\n```\nthe the\n```\n\n"
    text += "| the the |\n|---|\n\n<!-- the\nthe -->\nEnd.\n"
    found = prose.prose_of(text)
    assert found.count("\n") == text.count("\n")
    assert found.split() == ["See", "[it]", "and", "code.", "End."]
    assert list(prose.faults_of(found)) == []


def test_a_doubled_word_and_a_long_sentence_are_found_on_their_lines(prose: ModuleType) -> None:
    long = " ".join([f"word{i}" for i in range(46)])
    text = prose.prose_of(f"One sentence.\n\nIt has the\nthe twice. {long}.\n\nIt had had enough. {long[:-7]}.\n")
    assert list(prose.faults_of(text)) == [
        (3, "doubled word: the"),
        (4, "46 words in a sentence: word0 word1 word2 word3 word4 word5 ..."),
    ]


def test_a_riddle_is_found_in_any_docstring(prose: ModuleType) -> None:
    source = '"""A module."""\n\n\nclass A:\n    """What is left."""\n\n    def f(self): """Whatever is left."""\n'
    assert list(prose.riddles_of(source)) == [(5, "a docstring begins with a riddle: What is left.")]


def test_programs_that_are_missing_are_no_success(prose: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose.sys, "executable", "/nowhere/bin/python")
    assert prose._codespell() == 1
    assert prose._proselint() == 1


def test_the_documents_are_all_that_a_stranger_reads(prose: ModuleType) -> None:
    found = {file.relative_to(ROOT).as_posix() for file in prose.documents()}
    assert {"README.md", "docs/faq.md", "src/cwic/weights/cwic-s.md", "results/kodak/published/README.md"} <= found
