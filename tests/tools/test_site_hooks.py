"""Links of a checkout become links of the site; and a site that fetches something is found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hooks(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / "tools" / "site_hooks.py")


@pytest.mark.parametrize(
    ("page", "link", "becomes"),
    [
        ("index.md", "docs/tiles.md#damage", "tiles.md#damage"),
        ("index.md", "examples/README.md", "repository/examples/README.md"),
        ("index.md", "results/", "repository/results/README.md"),
        ("tiles.md", "folders.md", "folders.md"),
        ("tiles.md", "../README.md", "index.md"),
        ("tiles.md", "../examples/plug_in.py", "repository/examples/plug_in.py.md"),
        ("tiles.md", "../results/kodak/rd.svg", "repository/results/kodak/rd.svg"),
        ("repository/CONTRIBUTING.md", "docs/web.md", "../web.md"),
        ("repository/src/cwic/weights/cwic-m.md", "cwic-s.md", "cwic-s.md"),
        ("tiles.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("tiles.md", "#damage", "#damage"),
    ],
)
def test_a_link_of_the_checkout_leads_to_the_page(hooks: ModuleType, page: str, link: str, becomes: str) -> None:
    found = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert hooks.on_page_markdown(f"see [it]({link}).", found, None, None) == f"see [it]({becomes})."


def test_a_page_of_code_shows_the_file_and_is_left_alone(hooks: ModuleType) -> None:
    page = hooks.page_of("examples/plug_in.py")
    assert page.startswith("# examples/plug_in.py\n\n````python\n")
    assert (ROOT / "examples" / "plug_in.py").read_text("utf-8") in page
    found = SimpleNamespace(file=SimpleNamespace(src_uri="repository/examples/plug_in.py.md"))
    assert hooks.on_page_markdown("a[0](b.md)", found, None, None) == "a[0](b.md)"


def test_a_notebook_is_its_cells(hooks: ModuleType) -> None:
    page = hooks.page_of("examples/notebook.ipynb")
    assert "```python\n" in page
    assert '"cell_type"' not in page


def test_the_reference_of_the_command_line_has_every_command(hooks: ModuleType) -> None:
    text = hooks.cli_reference()
    for command in ("encode", "decode", "eval bd", "models import", "data shard", "desktop install"):
        assert f"`cwic {command}`" in text
    assert "--target-ssimulacra2" in text


def test_what_a_page_fetches_is_found(load_script: Callable[[Path], ModuleType], tmp_path: Path) -> None:
    check = load_script(ROOT / "tools" / "check_site.py")
    (tmp_path / "index.html").write_text(
        '<a href="https://example.org">fine</a><script src="a.js"></script><img alt="" src="//example.org/a.png">'
    )
    (tmp_path / "a.css").write_text("@import url(https://example.org/a.css); b { background: url(b.png) }")
    assert check.fetched(tmp_path) == ["a.css: https://example.org/a.css", "index.html: //example.org/a.png"]
