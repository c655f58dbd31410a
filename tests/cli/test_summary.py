from __future__ import annotations

from pathlib import Path

from cwic.cli.job import Job
from cwic.cli.outcome import Made
from cwic.cli.summary import Summary


def test_all_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(2_500))
    summary = Summary()
    made = Made({"width": 1000, "height": 500}, bytes(250))
    summary.add(Job(str(tmp_path / "a"), "b"), made, failed=False)
    assert str(summary).startswith("1 file: 2.5 kB -> 250 bytes, ratio 10.00, 0.0 s, ")
    summary.add(Job(str(tmp_path / "a"), "b"), made, failed=False)
    summary.add(Job("x", "b"), made, failed=True)
    summary.add(Job("x", "b"), None, failed=True)
    summary.add(Job("x", "b"), Made({}), failed=False)
    assert str(summary).startswith("2 files: 5.0 kB -> 500 bytes")
    assert " files/s, " in str(summary)
    assert str(summary).endswith(" megapixels/s, 1 skipped, 2 failed")


def test_nothing_done_has_no_rate() -> None:
    summary = Summary()
    summary.add(Job("x", "b"), Made({}), failed=False)
    assert str(summary) == "0 files, 0.0 s, 1 skipped"
