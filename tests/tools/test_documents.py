"""What the documents show works: options of commands exist, Python compiles, recipes and codecs load."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "src/cwic/weights").glob("*.md")),
]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(cwic [^`]+)`")


def _blocks(document: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(document.read_text("utf-8")) if kind == language]


def _commands(document: Path) -> list[list[str]]:
    """All command lines of cwic that a document shows, as words without the first."""
    text = document.read_text("utf-8")
    lines = [
        line
        for block in _blocks(document, "")
        for line in block.replace("\\\n", " ").splitlines()
        if line[:5] == "cwic "
    ]
    lines += [" ".join(found.split()) for found in _INLINE.findall(_BLOCK.sub("", text))]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.count("'") % 2 == 0]


@cache
def _root() -> Any:
    import typer

    from cwic.cli.app import COMMANDS, app_of

    return typer.main.get_command(app_of(COMMANDS))


def _options(words: list[str]) -> tuple[str, set[str]]:
    """The command that some words call, and the options that it has."""
    command, names = _root(), []
    for word in words:
        found = getattr(command, "commands", {}).get(word)
        if found is None:
            break
        command, names = found, [*names, word]
    short = {"eval": "measure", "batch": "run"}  # `cwic eval` is short for `cwic eval measure`
    if len(names) == 1 and names[0] in short:
        command = command.commands[short[names[0]]]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return " ".join(names), options | {"-h", "--help", "--version", "--install-completion"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_their_options_exist(document: Path) -> None:
    for words in _commands(document):
        name, options = _options(words)
        assert name or words[0].startswith("-") or not words[0].islower(), f"no command: cwic {' '.join(words)}"
        used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= options, f"cwic {name} has no {', '.join(sorted(used - options))}"


def test_there_are_commands_to_check() -> None:
    assert sum(len(_commands(document)) for document in DOCUMENTS) > 120


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_compiles(document: Path) -> None:
    for block in _blocks(document, "python"):
        source = f"f({block})" if block.rstrip().endswith("),") else block  # a row of a list
        compile(source, str(document), "exec")


def test_the_codec_of_the_how_to_loads(tmp_path: Path) -> None:
    from cwic.evaluation.codecs.command_codec import read_command_codec

    file = tmp_path / "mywebp.toml"
    file.write_text(_blocks(ROOT / "docs" / "add-a-codec.md", "toml")[0])
    codec = read_command_codec(file)
    assert (codec.name, codec.suffix, codec.qualities) == ("mywebp", ".webp", (5, 20, 40, 60, 80))


def test_the_recipes_of_the_tutorial_load(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from cwic.config import CwicConfig
    from cwic.training.recipe import load_recipe

    tiny, switch = _blocks(ROOT / "docs" / "tutorial-research.md", "toml")
    file = tmp_path / "tiny.toml"
    for text, encoding in ((tiny, True), (tiny + switch, False)):
        file.write_text(text)
        config = load_recipe(file).model
        assert isinstance(config, CwicConfig)
        assert (config.M, config.feature_encoding) == (128, encoding)
