from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from cwic.cli import bar
from cwic.cli.bar import Bar, hidden, shown
from cwic.progress import report

SCRIPT = """
import sys, time
from cwic.cli import bar, reports
from cwic.progress import report
bar.DELAY = 0.1
with bar.shown("encoding"):
    for done in range(5):
        report("files", done, 4)
        time.sleep(0.3)
        reports.report(f"result {done}", {"done": done}, as_json=True)
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the bar takes for the time."""
    time = [1000.0]
    monkeypatch.setattr(bar, "monotonic", lambda: time[0])
    return time


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> Iterator[Bar]:
    monkeypatch.setattr(bar, "DELAY", 600)
    made = Bar("encoding")
    yield made
    made.close()


def test_before_anything_is_known_there_is_a_clock(counter: Bar, clock: list[float]) -> None:
    counter.tell("tiles", 0, 1)
    assert counter.line(clock[0] + 65) == ("encoding", None, "1:05")


def test_done_rate_and_time_left(counter: Bar, clock: list[float]) -> None:
    counter.tell("tiles", 0, 12)
    clock[0] += 6
    assert counter.line(clock[0])[2] == "0/12 tiles  0:06"
    counter.tell("tiles", 3, 12)
    label, count, text = counter.line(clock[0])
    assert (label, count and (count.done, count.total)) == ("encoding", (3, 12))
    assert text == "3/12 tiles  2.0 s each  0:18 left"
    assert counter.line(clock[0] + 5)[2] == "3/12 tiles  2.0 s each  0:13 left"
    assert counter.line(clock[0] + 50)[2] == "3/12 tiles  2.0 s each  0:00 left"


def test_of_files_and_probes_the_tile_in_work(counter: Bar, clock: list[float]) -> None:
    counter.tell("probes", 2, None)
    counter.tell("tiles", 12, 12)
    counter.tell("tiles", 0, 12)
    assert counter.line(clock[0] + 1)[2] == "2 probes  0:01  tile 1/12"
    counter.tell("files", 0, 7200)
    clock[0] += 1800
    counter.tell("files", 3600, 7199)  # one was skipped
    assert counter.line(clock[0])[2] == "3600/7199 files  2.0 files/s  30:00 left  tile 1/12"


def test_nothing_is_shown_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("encoding"), hidden():
        report("tiles", 1, 2)
    assert bar._bar is None
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_is_drawn_and_gone_at_the_end() -> None:
    """And stdout, which is no terminal, has the results alone."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "TERM": "xterm", "COLUMNS": "99"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        out = process.stdout.read() if process.stdout else b""
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 1 << 16):
            drawn += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.returncode == 0
    assert out.decode().splitlines() == [f'{{"done": {done}}}' for done in range(5)]
    assert b"encoding" in drawn
    assert b"4 files" in drawn
    assert b"result" not in drawn
    assert drawn.rstrip().endswith(b"\x1b[2K")


def test_a_short_command_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(bar, "DELAY", 0.05)
    shows: list[float] = []
    monkeypatch.setattr(Bar, "_show", lambda self: shows.append(monotonic()))
    with shown("encoding"):
        pass
    sleep(0.1)
    assert shows == []
