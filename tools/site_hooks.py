"""MkDocs hooks: pages of the site that are made from files outside docs/, and from the code.

- README.md is the first page.
- A file of the repository that a page links to becomes a page under repository/: Markdown as it is, notebooks as their
  cells, other text as a block of code, pictures as they are. So the same links work in a checkout and on the site.
- reference-cli.md is what the command line says of itself.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cwic.cli.app import COMMANDS, app_of

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = "docs/"
OTHERS = "repository/"
INDEX = "README.md"
CLI = "reference-cli.md"
PICTURES = {".svg", ".png", ".webp", ".jpg"}
LANGUAGES = {".py": "python", ".toml": "toml", ".cff": "yaml", ".json": "json"}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")
"""The target of a relative link of Markdown, without its anchor."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/: those of the nav, and whatever a page links to, and so on."""
    from mkdocs.structure.files import File

    wanted = [INDEX, "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
    for file in files.documentation_pages():
        wanted += _outside(DOCS + file.src_uri, file.content_string)
    done = set()
    while wanted:
        path = wanted.pop()
        if path in done:
            continue
        done.add(path)
        if Path(path).suffix in PICTURES:
            files.append(File.generated(config, uri_of(path), abs_src_path=str(ROOT / path)))
            continue
        files.append(File.generated(config, uri_of(path), content=page_of(path)))
        if path.endswith(".md"):
            wanted += _outside(path, (ROOT / path).read_text("utf-8"))
    files.append(File.generated(config, CLI, content=cli_reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page at the pages of the site."""
    origin = origin_of(page.file.src_uri)
    if page.file.src_uri == CLI or not origin.endswith(".md"):
        return markdown
    here = posixpath.dirname(page.file.src_uri)
    return LINK.sub(lambda found: posixpath.relpath(uri_of(_target(origin, found[1])), here or "."), markdown)


def uri_of(path: str) -> str:
    """Where the site has a file of the repository; `path` is relative to its root."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    if path == INDEX:
        return "index.md"
    return OTHERS + path + ("" if Path(path).suffix in {".md", *PICTURES} else ".md")


def origin_of(uri: str) -> str:
    """The file of the repository that a page of the site is made of: the inverse of `uri_of`."""
    if uri == "index.md":
        return INDEX
    if not uri.startswith(OTHERS):
        return DOCS + uri
    path = uri.removeprefix(OTHERS)
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def page_of(path: str) -> str:
    """A text file of the repository as a page."""
    text = (ROOT / path).read_text("utf-8")
    suffix = Path(path).suffix
    if suffix == ".md":
        return text
    if suffix == ".ipynb":
        return "\n\n".join(_cells(json.loads(text)))
    return f"# {path}\n\n````{LANGUAGES.get(suffix, 'text')}\n{text}````\n"


def cli_reference() -> str:
    """All commands with their help, as Markdown."""
    import typer
    from typer.cli import get_docs_for_click

    command = typer.main.get_command(app_of(COMMANDS))
    context = typer.Context(command, info_name="cwic")
    return get_docs_for_click(obj=command, ctx=context, name="cwic", title="Command line")


def _cells(notebook: dict[str, list[dict[str, str | list[str]]]]) -> Iterator[str]:
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        yield source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"


def _target(origin: str, link: str) -> str:
    """The file that a link means, relative to the root of the repository; of a folder its README."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    return f"{path}/README.md" if (ROOT / path).is_dir() else path


def _outside(origin: str, text: str) -> Iterator[str]:
    """The files outside docs/ that a page links to, as far as there are such files."""
    for found in LINK.finditer(text):
        path = _target(origin, found[1])
        if not path.startswith((DOCS, "..")) and (ROOT / path).is_file():
            yield path
