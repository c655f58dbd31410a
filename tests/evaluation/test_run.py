from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cwic.errors import FormatError, InputError, OutputExistsError
from cwic.evaluation import run
from cwic.evaluation.measure import measure_picture
from cwic.evaluation.rows import read_tsv
from cwic.evaluation.run import Table, Task, fingerprints, measure
from cwic.image.folder import picture_files, read_picture


def _files(folder: Path) -> dict[str, Path]:
    return {file.name: file for file in picture_files(folder)}


def _table(codec: Any, folder: Path, **changes: Any) -> Table:
    pictures, errors = fingerprints(_files(folder))
    out = folder.parent / "out"
    out.mkdir(exist_ok=True)
    plain = {"qualities": (15, 30), "further": (), "unreadable": errors.keys()}
    return Table(**{"codec": codec, "opened_as": "fake", "out": out, "pictures": pictures, **plain, **changes})


def _work(table: Table, folder: Path) -> list[str]:
    """Do what is missing; the pictures and qualities that were."""
    done = []
    for task in list(table.tasks(_files(folder))):
        table.add(measure_picture(table.codec, task.qualities, task.image, read_picture(task.file)))
        done.append(f"{task.image} {','.join(map(str, task.qualities))}")
    return done


def _finished(codec: Any, folder: Path, **changes: Any) -> Table:
    table = _table(codec, folder, **changes)
    table.load(force=False)
    _work(table, folder)
    table.save(table.close(), {"dataset": "set"})
    return table


def test_what_is_there_is_not_measured_again(fake: Any, folder: Path) -> None:
    first = _finished(fake, folder)
    before = first.tsv.read_bytes(), first.json.read_bytes()
    second = _table(fake, folder)
    second.load(force=False)
    assert _work(second, folder) == []
    points = second.close()
    second.save(points, {"dataset": "other"})
    assert [point.bpp for point in points] == [0.2, 0.4]
    # Nothing new, so nothing is said anew.
    assert (first.tsv.read_bytes(), first.json.read_bytes()) == before


def test_a_stopped_run_goes_on(fake: Any, folder: Path) -> None:
    table = _finished(fake, folder)
    whole = table.tsv.read_bytes()
    lines = whole.splitlines(keepends=True)
    table.tsv.write_bytes(b"".join(lines[:3]))  # both pictures at 15
    table.json.unlink()

    again = _table(fake, folder)
    again.load(force=False)
    assert _work(again, folder) == ["a.png 30", "b.png 30"]
    again.save(again.close(), {})
    assert len(read_tsv(again.tsv.read_bytes())) == 4
    assert json.loads(again.json.read_text())["meta"]["images"] == 2


def test_a_run_that_was_stopped_between_its_two_files(fake: Any, folder: Path) -> None:
    table = _finished(fake, folder)
    table.json.write_text(table.json.read_text().replace("no codec", "an older codec"))
    again = _table(fake, folder)
    again.load(force=False)
    again.save(again.close(), {"dataset": "set"})
    assert json.loads(again.json.read_text())["description"] == "no codec"


def test_more_qualities_or_pictures_only_add(fake: Any, folder: Path) -> None:
    _finished(fake, folder)
    Image.new("RGB", (30, 20)).save(folder / "c.png")
    table = _table(fake, folder, qualities=(15, 30, 45))
    table.load(force=False)
    assert _work(table, folder) == ["a.png 45", "b.png 45", "c.png 15,30,45"]


@pytest.mark.parametrize("change", ["settings", "picture", "quality", "text", "half", "twice"])
def test_other_results_are_dropped_only_by_force(fake: Any, folder: Path, change: str) -> None:
    table = _finished(fake, folder)
    changes: dict[str, Any] = {}
    if change == "settings":
        fake.description = "no codec, version 2"
    elif change == "picture":
        Image.new("RGB", (30, 20), (1, 2, 3)).save(folder / "a.png")
    elif change == "quality":
        changes["qualities"] = (15,)
    elif change == "half":
        table.tsv.write_bytes(table.tsv.read_bytes()[:-20])
    elif change == "twice":
        table.tsv.write_text(table.tsv.read_text() + table.tsv.read_text().splitlines(keepends=True)[-1])
    else:
        table.tsv.write_text("notes")
    again = _table(fake, folder, **changes)
    with pytest.raises(OutputExistsError, match=r"fake\.tsv exists already, and .*: -f replaces it"):
        again.load(force=False)
    again.load(force=True)
    kept = {"settings": 0, "picture": 2, "quality": 2, "text": 0, "half": 0, "twice": 4}[change]
    assert len(again.rows) == kept


def test_rows_that_lack_a_measure_are_measured_again(fake: Any, folder: Path) -> None:
    _finished(fake, folder)
    table = _table(fake, folder, further=("ssimulacra2",))
    table.load(force=False)
    assert [task.qualities for task in table.tasks(_files(folder))] == [(15, 30)] * 2
    # The other way round nothing is missing.
    table.add([row._replace(ssimulacra2=50.0) for row in read_tsv(table.tsv.read_bytes())])
    again = _table(fake, folder)
    again.load(force=False)
    assert _work(again, folder) == []
    assert [point.ssimulacra2 for point in again.close()] == [50, 50]


def test_a_summary_without_its_table_is_not_replaced(fake: Any, folder: Path) -> None:
    table = _finished(fake, folder)
    table.tsv.unlink()
    with pytest.raises(OutputExistsError, match=r"fake\.json"):
        _table(fake, folder).load(force=False)


def test_pictures_that_lack_a_quality_are_left_out(fake: Any, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    table = _table(fake, folder)
    table.load(force=False)
    tasks = list(table.tasks(_files(folder)))
    table.add(measure_picture(fake, (15, 30), "a.png", read_picture(tasks[0].file)))
    table.add(measure_picture(fake, (15,), "b.png", read_picture(tasks[1].file)))
    table.save(table.close(), {})
    meta = json.loads(table.json.read_text())["meta"]
    assert (meta["images"], meta["failed"]) == (1, ["b.png", "bad.png"])
    assert "b.png" not in table.tsv.read_text()


def test_nothing_is_written_without_a_whole_picture(fake: Any, folder: Path) -> None:
    table = _table(fake, folder)
    points = table.close()
    table.save(points, {})
    assert points == []
    assert not list(table.out.iterdir())


def test_failures_are_outcomes(fake: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_opened", lambda name: fake)
    good, bad = measure([Task("fake", folder / "a.png", "a.png", (q,), ()) for q in (15, 99)], jobs=1)
    assert (len(good.rows), good.error) == (1, None)
    assert (bad.rows, type(bad.error)) == ([], FormatError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("disk full"), "disk full"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("encoder"), "encoder"),
        (KeyError(), "KeyError"),
    ],
)
def test_what_is_no_fault_of_the_picture_is_an_outcome_too(
    fake: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(fake, "encode", fail)
    monkeypatch.setattr(run, "_opened", lambda name: fake)
    [outcome] = measure([Task("fake", folder / "a.png", "a.png", (15,), ())], jobs=1)
    assert str(outcome.error) == f"fake: {message}"


def test_several_processes_measure_the_same(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    tasks = [Task("jpeg", file, name, (30, 60), ()) for name, file in _files(folder).items()]
    alone, together = (
        sorted((o.task.image, [row[:9] for row in o.rows], type(o.error)) for o in measure(tasks, jobs))
        for jobs in (1, 2)
    )
    assert alone == together
    assert [kind for _, _, kind in alone] == [type(None), type(None), InputError]


def _die(*_: object) -> None:
    os._exit(1)


def test_a_process_that_dies_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "share_cores", _die)
    tasks = [Task("jpeg", folder / "a.png", "a.png", (30,), ())] * 2
    assert [str(outcome.error) for outcome in measure(tasks, jobs=2)] == ["the process that measured it died"] * 2
