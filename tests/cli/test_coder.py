from __future__ import annotations

import pickle
from contextlib import closing
from pathlib import Path

import pytest

from cwic.batch.shard import Task
from cwic.cli.coder import TRIES, PoolCoder
from cwic.cli.outcome import Work

WORK = """
import os, signal, warnings
from pathlib import Path
from cwic.cli.outcome import Made
from cwic.errors import FormatError

class Work:
    def __call__(self, job):
        data = Path(job.source).read_bytes()
        if data == b"die" or (data == b"die once" and not Path(job.source + ".died").exists()):
            with open(job.source + ".died", "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        warnings.warn("text is lost", UserWarning)
        if data == b"bad":
            raise FormatError("damaged")
        record = {"width": 4, "height": 2, "seconds": 0.5, "pid": os.getpid()}
        return Made(record, memoryview(str(os.getpid()).encode()), notes=(f"cwic: {job.target}: no EXIF",))
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Work that another process can import."""
    (tmp_path / "work_for_coder.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    from work_for_coder import Work as Found  # type: ignore[import-not-found]

    made: Work = Found()
    return made


def _task(number: int, folder: Path, text: str) -> Task:
    (folder / str(number)).write_text(text)
    return Task(number, str(folder / str(number)), str(folder / f"{number}.out"))


def test_pictures_whose_process_dies_are_tried_again(work: Work, tmp_path: Path) -> None:
    texts = ["good", "die once", "die", "bad"]
    coder = pickle.loads(pickle.dumps(PoolCoder(work, 1, 1)))
    with closing(coder):
        found = dict(coder.coded(_task(number, tmp_path, text) for number, text in enumerate(texts)))
        assert sorted(found) == [0, 1, 2, 3]
        assert found[0].data is not None
        assert (found[0].width, found[0].height, found[0].bpp, found[0].seconds) == (4, 2, 4.0, 0.5)
        assert found[0].notes == "text is lost; no EXIF"
        assert found[1].data is not None
        assert (found[2].data, found[2].error_type, found[2].exit_code) == (None, "ProcessDiedError", 1)
        assert len((tmp_path / "2.died").read_text()) == TRIES
        assert (found[3].error_type, found[3].error, found[3].exit_code) == ("FormatError", "damaged", 3)
        assert found[3].notes == "text is lost"
        # The process, and the model in it, stay for the next shard.
        [(_, first)] = coder.coded([_task(8, tmp_path, "good")])
        [(_, second)] = coder.coded([_task(9, tmp_path, "good")])
        assert first.data == second.data


def test_coders_are_told_apart(work: Work) -> None:
    assert PoolCoder(work, 1, 1).name != PoolCoder(work, 1, 1).name
