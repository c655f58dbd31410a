from __future__ import annotations

from contextlib import closing

from cwic.batch.entry import Entry
from cwic.batch.index import Index

ODD = b"/\xff".decode("utf-8", "surrogateescape")


def test_entries_come_in_order_and_once() -> None:
    entries = [Entry("b", size=2), Entry(ODD, output="o"), Entry("a", "m", 3, -1), Entry("b", size=5)]
    outputs = iter("1234")
    with closing(Index((entry._replace(output=next(outputs)) for entry in entries), str)) as index:
        assert [(entry.path, entry.member) for entry in index.entries()] == [(ODD, ""), ("a", "m"), ("b", "")]
        assert index.totals() == (3, 2)


def test_two_that_would_be_one_output_are_both_refused() -> None:
    entries = [Entry("A.png", output="A.cwic"), Entry("a.jpg", output="a.cwic"), Entry("c.png", output="c.cwic")]
    with closing(Index(entries, str)) as index:
        assert [entry.problem for entry in index.entries()] == ["", "", ""]
    with closing(Index(entries, str.casefold)) as index:
        first, second, third = index.entries()
    assert first.problem == second.problem
    assert first.problem.startswith("ClashError: output A.cwic would be made of A.png and a.jpg")
    assert third.problem == ""


def test_what_changed_since() -> None:
    with closing(Index([Entry("a", size=1, output="a"), Entry("b", size=2, output="b")], str)) as index:
        assert index.take(Entry("a", size=9)) == Entry("a", size=1, output="a")
        assert index.take(Entry("gone")) is None
        assert index.count_unseen() == 1
        assert [entry.path for entry in index.entries(unseen=True)] == ["b"]
