"""Check the prose of documents and docstrings: `python tools/prose.py`, for `make check`.

- codespell looks for misspellings in documents and code, with the words of `tools/words.txt` let through.
- proselint looks for clichés and the like in the documents, without code and tables, as `tools/proselint.json` says.
- Rules of the house: no doubled words, no sentence of more than 45 words, and no docstring that begins like a riddle.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("*.md", "docs/*.md", "examples/*.md", "results/**/*.md", "src/cwic/weights/*.md")
SPELLED = ("src", "examples", "benchmarks", "tools", "tests", "recipes", "Makefile", "pyproject.toml", "mkdocs.yml")
NO_TEXT = "*.safetensors,*.npy,*.cwic,*.png,*.svg,*.webp,*.tsv,*.json,corpus,__pycache__"
MAX_WORDS = 45
RIDDLES = re.compile(r"(?:What|Who|Whose|Whether|How|Where|When|It|Its|Those|That|They)\b")
"""First words that leave the subject open."""
_CODE = re.compile(r"^(```+).*?^\1`*[ ]*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DOUBLED = re.compile(r"\b([A-Za-z]{2,})[ \n]+\1\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?:;|]+(?:[.!?:;|]|$)")


def prose_of(markdown: str) -> str:
    """The sentences of a document, on the lines where they were: code, tables, headings and targets are left out."""
    text = _CODE.sub(lambda found: "\n" * found[0].count("\n"), markdown)
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    text = re.sub(r"`[^`\n]*(?:\n[^`\n]+)?`", lambda found: "code" + "\n" * found[0].count("\n"), text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"^(?:\||#| {4,}\S|:::).*$", "", text, flags=re.MULTILINE)
    return re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", text)


def faults_of(prose: str) -> Iterator[tuple[int, str]]:
    """Line and words of each breach of the rules of the house in a document."""
    for found in _DOUBLED.finditer(prose):
        if found[1].lower() not in {"code", "had", "that"}:
            yield prose.count("\n", 0, found.start()) + 1, f"doubled word: {found[1]}"
    start = 0
    for paragraph in re.split(r"(\n\s*\n|\n[-0-9]\S* )", prose):
        for sentence in _SENTENCE.finditer(paragraph):
            words = len(sentence[0].split())
            if words > MAX_WORDS:
                line = prose.count("\n", 0, start + sentence.start()) + 1
                yield line, f"{words} words in a sentence: {' '.join(sentence[0].split()[:6])} ..."
        start += len(paragraph)


def riddles_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and beginning of each docstring, those of attributes included, that begins like a riddle."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            text = node.value.value.strip()
            if RIDDLES.match(text):
                yield node.lineno, f"a docstring begins with a riddle: {text.splitlines()[0][:60]}"


def documents() -> list[Path]:
    """All documents."""
    return sorted({file for pattern in DOCUMENTS for file in ROOT.glob(pattern)})


def main() -> int:
    """Print all that is found. Returns an exit code."""
    faults = []
    for file in documents():
        faults += [(file, *fault) for fault in faults_of(prose_of(file.read_text("utf-8")))]
    for file in sorted((ROOT / "src" / "cwic").rglob("*.py")):
        faults += [(file, *fault) for fault in riddles_of(file.read_text("utf-8"))]
    for file, line, what in faults:
        print(f"{file.relative_to(ROOT)}:{line}: {what}")
    return int(bool(faults) | _codespell() | _proselint())


def _codespell() -> int:
    spelled = [str(file.relative_to(ROOT)) for file in documents()] + list(SPELLED)
    command = ["codespell", "--skip", NO_TEXT, "--ignore-words", "tools/words.txt", *spelled]
    return _run(command, ROOT)


def _proselint() -> int:
    with tempfile.TemporaryDirectory(prefix="cwic-prose-") as folder:
        copies = []
        for file in documents():
            copy = Path(folder) / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(prose_of(file.read_text("utf-8")), "utf-8")
            copies.append(str(copy.relative_to(folder)))
        # proselint reads the configuration of the folder that it runs in.
        shutil.copy(ROOT / "tools" / "proselint.json", Path(folder) / ".proselintrc.json")
        return _run(["proselint", "check", *copies], Path(folder))


def _run(command: list[str], folder: Path) -> int:
    """Runs a program of the environment that this script runs in. Returns 1 if it finds something or is not there."""
    program = Path(sys.executable).parent / command[0]
    if not program.exists():
        print(f"{command[0]} is not installed: pip install 'cwic[docs]'", file=sys.stderr)
        return 1
    return int(subprocess.run([str(program), *command[1:]], cwd=folder, check=False).returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
