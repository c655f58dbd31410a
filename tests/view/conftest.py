"""A browser for the tests of the page: Debian's Chromium, driven by Playwright. Without either they are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cwic.view.pictures import Pictures
from cwic.view.server import ViewServer

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
PHOTOGRAPH = ROOT / "examples" / "chelsea.png"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server() -> Iterator[ViewServer]:
    """Of the photograph, and a golden file beside its picture."""
    pictures = Pictures()
    pictures.open([str(PHOTOGRAPH), str(GOLDEN / "cwic_m.cwic"), str(GOLDEN / "cwic_m.png")])
    with ViewServer(pictures) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()
