from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cwic.models import catalog
from cwic.models.catalog import PartSummary

Run = Callable[..., Any]


def test_list(run_cwic: Run) -> None:
    lines = run_cwic("models", "list").out.decode().splitlines()
    assert [line.split()[0] for line in lines] == list(catalog.CATALOG)
    assert ["no weights" in line for line in lines] == [not row.shipped for row in catalog.CATALOG.values()]
    records = [json.loads(line) for line in run_cwic("models", "list", "--json").out.splitlines()]
    assert [(r["model"], r["weights"]) for r in records] == [(n, row.shipped) for n, row in catalog.CATALOG.items()]


def test_show(run_cwic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [PartSummary("g_a", 1200, 1000.4), PartSummary("total", 1200, 1000.4)]
    monkeypatch.setattr(catalog, "summary", lambda name: rows)
    lines = run_cwic("models", "show", "cwic-s").out.decode().splitlines()
    assert [line.split() for line in lines] == [
        ["part", "parameters", "MAC/pixel"],
        ["g_a", "1,200", "1,000"],
        ["total", "1,200", "1,000"],
    ]
    records = [json.loads(line) for line in run_cwic("models", "show", "cwic-s", "--json").out.splitlines()]
    assert records[-1] == {"part": "total", "parameters": 1200, "mac_per_pixel": 1000.4}


def test_unknown_name(run_cwic: Run) -> None:
    answer = run_cwic("models", "show", "other")
    assert answer.code == 4
    assert "cwic-s" in answer.err
