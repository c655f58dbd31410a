from __future__ import annotations

import pytest

from cwic.batch.entry import (
    CODED,
    ClashError,
    Entry,
    Row,
    from_parquet,
    problem_of,
    raise_problem,
    row_of,
    to_parquet,
)
from cwic.errors import InputError


def test_rows_go_through_parquet_whatever_their_names_are() -> None:
    pytest.importorskip("pyarrow")
    odd = b"/p/\xff\xfe.png".decode("utf-8", "surrogateescape")
    entries = [
        Entry(odd, "", 0, 5, 1.25, "tag", odd + ".cwic"),
        Entry("s3://b/ä.tar", "m\\xff.png", 512, -1, output="o"),
    ]
    assert from_parquet(to_parquet(entries, Entry, {}), Entry) == (entries, {})
    row = row_of(entries[0], CODED, bytes=7, crc=2**32 - 1, bpp=0.5, error=odd)
    found, about = from_parquet(to_parquet([row], Row, {"begun": "1.5"}), Row)
    assert found == [row._replace(error="/p/\\xff\\xfe.png")]
    assert about == {"begun": "1.5"}
    assert found[0].version == entries[0].version


def test_other_programs_read_the_files() -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    data = to_parquet([Entry("a.png", size=3)], Entry, {})
    assert parquet.read_table(pa.BufferReader(data)).column("path").to_pylist() == ["a.png"]


def test_a_problem_comes_back_as_its_error() -> None:
    raise_problem(Entry("a"))
    with pytest.raises(ClashError, match=r"^two: of them$") as clash:
        raise_problem(Entry("a", problem=problem_of(ClashError("two: of them"))))
    assert clash.value.exit_code == 2
    with pytest.raises(InputError, match="gone"):
        raise_problem(Entry("a", problem=problem_of(InputError("gone"))))


def test_names() -> None:
    assert Entry("s3://b/x.tar", "d/a.png").name == "s3://b/x.tar:d/a.png"
    assert Entry("s3://b/x.tar", "d/a.png").file_name == "a.png"
    assert Entry("https://h/p/a.jpg?size=1#x").file_name == "a.jpg"
    assert Entry("/p/what?.jpg").file_name == "what?.jpg"
