"""What the tests of this room share: places, and a coder that costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from cwic.batch.listing import Told, Wanted
from cwic.batch.shard import Coded, Coding, Task
from cwic.batch.store import open_store


class Everything:
    """A choice that takes all."""

    def leave_out(self, path: str) -> bool:
        return False

    def take(self, path: str) -> bool:
        return True


class Upper:
    """Codes a text by writing it in capitals, and says what it was given."""

    def __init__(self) -> None:
        self.name, self.at_a_time = "upper", 2
        self.given: list[bytes] = []

    def coded(self, tasks: Iterable[Task]) -> Coding:
        for task in tasks:
            data = Path(task.source).read_bytes()
            self.given.append(data)
            if data.startswith(b"bad"):
                yield task.number, Coded(None, error_type="FormatError", error="damaged", exit_code=3)
            else:
                yield task.number, Coded(data.upper(), 4, 2, len(data), 0.5, notes="said")


class Places(NamedTuple):
    """A source with two texts, one bad and one that is left out, and a target."""

    source: Path
    target: Path

    def wanted(self, target: object = None) -> Wanted:
        return Wanted(lambda suffix: suffix == ".t", ".cwic", Everything(), str(target or self.target))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    pytest.importorskip("pyarrow")
    pytest.importorskip("fsspec")
    pytest.importorskip("tenacity")
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for name, text in {"a.t": "alpha", "sub/b.t": "be", "bad.t": "bad", "notes.md": "x"}.items():
        (source / name).write_text(text)
    return Places(source, tmp_path / "target")


@pytest.fixture
def memory() -> str:
    """A place in memory, as an example of those that are not local."""
    pytest.importorskip("fsspec")
    pytest.importorskip("tenacity")
    return f"memory://{uuid4().hex}"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A server of S3 on this machine."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket there."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    bucket = f"s3://bucket-{uuid4().hex}"
    fs, path = open_store(bucket)
    fs.mkdir(path)
    return bucket


@pytest.fixture
def upper() -> Upper:
    return Upper()


@pytest.fixture
def told() -> Told:
    return Told()
