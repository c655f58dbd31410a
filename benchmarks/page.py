"""How long the page takes in a browser: to a small picture, to the whole one, and tile by tile to a large one.

    python benchmarks/page.py [--repeats 7] [--size 768x512] [--large 4000x3000] [--model cwic-s]

Needs Playwright and Chromium, which runs headless. Its page has a `<cwic-image>`, from a server on this machine: one
thread, and where the page is isolated as many as there are processors. A visit begins with an empty cache; its times
count from the navigation. Later pictures are decoded on the same page, and count from the bytes of their file. Times
are medians. The large picture is decoded once, after a small one: by then everything is loaded.
"""

from __future__ import annotations

import argparse
import re
import runpy
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

import cwic
from cwic.errors import CwicError
from cwic.view.site import write_site

QUALITY = 50
PATIENCE = 600_000
"""Milliseconds for whatever the page does."""

VISIT = """
<!doctype html><title>page</title><link rel="icon" href="data:,">
<script>
  const times = {};
  for (const name of ['preview', 'load', 'error'])
    document.addEventListener(name, (event) => { if (event.target.show) times[name] = event.timeStamp; }, true);
</script>
<script type="module" src="cwic.js"></script><cwic-image src="small.cwic"></cwic-image>
"""
AGAIN = """async (repeats) => {
  const { decodeToCanvas } = await import('./cwic.js');
  const data = await (await fetch('small.cwic')).arrayBuffer();
  const runs = [];
  for (let k = 0; k < repeats; k++) runs.push(await decodeToCanvas(data, document.createElement('canvas')));
  return runs.map(({ milliseconds, threads }) => ({ ...milliseconds, threads }));
}"""
LARGE = """async () => {
  const { decodeToCanvas } = await import('./cwic.js');
  const data = await (await fetch('large.cwic')).arrayBuffer();
  const canvas = document.createElement('canvas');
  canvas.style.maxWidth = '100%';
  document.body.replaceChildren(canvas);
  const busy = [];
  const observer = new PerformanceObserver((list) => busy.push(...list.getEntries().map((task) => task.duration)));
  observer.observe({ type: 'longtask' });
  const moments = { small: [], whole: [] };
  const started = performance.now();
  await decodeToCanvas(data, canvas, {
    onPreview: () => moments.small.push(performance.now() - started),
    onBlock: () => moments.whole.push(performance.now() - started),
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  observer.disconnect();
  return { ...moments, longest: Math.max(0, ...busy), tasks: busy.length };
}"""


class _Handler(SimpleHTTPRequestHandler):
    server: _Server

    def end_headers(self) -> None:
        if self.server.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        self.server.sent += len(data)
        outputfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    """Hands out a folder as it is, and counts the bytes of its files."""

    daemon_threads = True

    def __init__(self, folder: str, isolated: bool) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=folder))
        self.isolated, self.sent = isolated, 0


@contextmanager
def serving(folder: str, *, isolated: bool) -> Iterator[_Server]:
    """A server of the page's folder; an isolated page may have threads."""
    with _Server(folder, isolated) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def browsing() -> Iterator[Any]:
    """A Chromium, ended in the end. Raises `SystemExit` where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise SystemExit("Playwright is not installed: pip install playwright") from error
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, server: _Server) -> Iterator[Any]:
    """The page with a small picture on it, everything loaded anew."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"http://127.0.0.1:{server.server_port}/visit.html")
    page.wait_for_function("() => times.load || times.error")
    if page.evaluate("() => times.error"):
        raise SystemExit("the page cannot show the picture")
    yield page
    context.close()


def measure_small(browser: Any, server: _Server, repeats: int) -> dict[str, float]:
    """Medians over visits, and over later pictures of the last of them; milliseconds, and bytes of a visit."""
    first: list[dict[str, float]] = []
    again: list[dict[str, float]] = []
    for visit in range(repeats):
        server.sent = 0
        with visiting(browser, server) as page:
            first.append({**page.evaluate("() => times"), "bytes": server.sent})
            if visit == repeats - 1:
                again = page.evaluate(AGAIN, repeats)

    def middle(rows: Sequence[dict[str, float]], key: str) -> float:
        return median(row[key] for row in rows)

    return {
        "threads": again[0]["threads"],
        "bytes": middle(first, "bytes"),
        "first small": middle(first, "preview"),
        "first whole": middle(first, "load"),
        "small": middle(again, "preview"),
        "whole": middle(again, "whole"),
    }


def peak_of_renderers(browser: Any) -> float:
    """MiB that the largest process of a page has had in memory so far; NaN where Linux does not tell."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    peaks = [float("nan")]
    for process in processes:
        status = Path(f"/proc/{process['id']}/status")
        if process["type"] == "renderer" and status.is_file():
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            peaks.append(int(found[1]) / 1024 if found else float("nan"))
    return max(peaks[1:], default=peaks[0])


def measure_large(browser: Any, server: _Server) -> dict[str, Any]:
    """When tiles appeared, the page's longest task, and the memory before and at most."""
    with visiting(browser, server) as page:
        before = peak_of_renderers(browser)
        found: dict[str, Any] = page.evaluate(LARGE)
        return {**found, "before": before, "peak": peak_of_renderers(browser)}


def report_small(size: str, model: str, rows: Sequence[dict[str, float]]) -> None:
    """A table of what is seen when."""
    print(f"{size}, {model}, quality {QUALITY}; milliseconds, medians\n")
    names = ("first small", "first whole", "small", "whole")
    print(f"| threads | MB to load | {' | '.join(names)} |\n|{'---|' * (2 + len(names))}")
    for row in rows:
        times = " | ".join(f"{row[name]:.0f}" for name in names)
        print(f"| {row['threads']:.0f} | {row['bytes'] / 1e6:.1f} | {times} |")


def report_large(size: str, rows: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """A table of one large picture."""

    def lines(row: dict[str, Any]) -> list[tuple[str, str]]:
        small, whole = row["small"], row["whole"]
        return [
            ("first, last small tile, s", f"{small[0] / 1e3:.2f}, {small[-1] / 1e3:.2f}"),
            ("whole blocks", str(len(whole))),
            *[(f"{part} % of them, s", f"{at(whole, part) / 1e3:.2f}") for part in (1, 50, 100)],
            ("longest task of the page, ms", f"{row['longest']:.0f} (of {row['tasks']} above 50)"),
            ("memory before, at most, MiB", f"{row['before']:.0f}, {row['peak']:.0f}"),
        ]

    def at(times: Sequence[float], part: int) -> float:
        return times[max(0, -(-len(times) * part // 100) - 1)]

    columns = [lines(row) for _, row in rows]
    print(f"\n{size}\n\n| | {' | '.join(name for name, _ in rows)} |\n|---|{'---|' * len(rows)}")
    for cells in zip(*columns, strict=True):
        print(f"| {cells[0][0]} | {' | '.join(value for _, value in cells)} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", default="768x512")
    parser.add_argument("--large", default="4000x3000", help="another size, or none")
    parser.add_argument("--model", default="cwic-s")
    given = parser.parse_args(arguments)
    mosaic: Callable[[int, int], Any] = runpy.run_path(str(Path(__file__).with_name("memory.py")))["mosaic"]
    sizes = {"small": given.size} | ({} if given.large == "none" else {"large": given.large})
    with tempfile.TemporaryDirectory() as folder:
        try:
            write_site(folder, [given.model])
            for name, size in sizes.items():
                image = mosaic(*map(int, size.split("x")))
                Path(folder, f"{name}.cwic").write_bytes(cwic.encode(image, quality=QUALITY, model=given.model))
        except CwicError as error:
            raise SystemExit(str(error)) from error
        Path(folder, "visit.html").write_text(VISIT.lstrip())
        small, large = [], []
        with browsing() as browser, serving(folder, isolated=False) as plain, serving(folder, isolated=True) as free:
            for name, server in (("one thread", plain), ("threads allowed", free)):
                small.append(measure_small(browser, server, given.repeats))
                if "large" in sizes:
                    large.append((name, measure_large(browser, server)))
    report_small(given.size, given.model, small)
    if large:
        report_large(given.large, large)


if __name__ == "__main__":
    main()
