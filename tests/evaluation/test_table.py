from __future__ import annotations

from cwic.evaluation.table import aligned, markdown

HEAD, ROWS = ["%", "dB", "test"], [["+1.0", "2", "a|b"], ["-10.0", "33", "c"]]


def test_columns_line_up() -> None:
    assert aligned(HEAD, ROWS).splitlines() == ["    %  dB  test", " +1.0   2  a|b", "-10.0  33  c"]


def test_markdown() -> None:
    assert markdown(HEAD, ROWS).splitlines() == [
        "| % | dB | test |",
        "| --- | --- | --- |",
        "| +1.0 | 2 | a\\|b |",
        "| -10.0 | 33 | c |",
    ]
