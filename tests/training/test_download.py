from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cwic.errors import InputError
from cwic.training.download import Source, fetch, sources


class _Handler(SimpleHTTPRequestHandler):
    """Files with ranges, as real servers have them."""

    def do_GET(self) -> None:
        data = (Path(self.directory) / self.path[1:]).read_bytes()
        start = int(self.headers["Range"].removeprefix("bytes=")[:-1]) if "Range" in self.headers else 0
        if start >= len(data) > 0:
            self.send_error(416)
            return
        self.server.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    (tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path / "served")))
    server.starts = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(server: ThreadingHTTPServer, tmp_path: Path) -> Source:
    data = bytes(range(256)) * 1000
    (tmp_path / "served" / "a.png").write_bytes(data)
    return Source(f"http://127.0.0.1:{server.server_port}/a.png", "sha256", hashlib.sha256(data).hexdigest())


def test_a_file_is_fetched_once(source: Source, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    for _ in range(2):
        (path,) = fetch([source], tmp_path / "to")
    assert path == tmp_path / "to" / "a.png"
    assert path.read_bytes() == (tmp_path / "served" / "a.png").read_bytes()
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]
    assert server.starts == [0]


@pytest.mark.parametrize("there", [1, 100_000, 256_000])
def test_a_broken_download_goes_on(source: Source, server: ThreadingHTTPServer, tmp_path: Path, there: int) -> None:
    data = (tmp_path / "served" / "a.png").read_bytes()
    (tmp_path / "a.png.part").write_bytes(data[:there])
    (path,) = fetch([source], tmp_path)
    assert path.read_bytes() == data
    assert server.starts == ([there] if there < len(data) else [])


def test_another_file_is_refused_and_not_kept(source: Source, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the known file"):
        fetch([source._replace(digest="0" * 64)], tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


def test_an_archive_is_unpacked(source: Source, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("valid/b.png", b"b")
    (tmp_path / "served" / "a.zip").write_bytes(packed.getvalue())
    digest = hashlib.md5(packed.getvalue()).hexdigest()
    fetch([Source(source.url.replace("a.png", "a.zip"), "md5", digest)], tmp_path / "to")
    assert (tmp_path / "to" / "valid" / "b.png").read_bytes() == b"b"


def test_offline_it_says_so(source: Source, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"cannot download http://127.*is this machine online"):
        fetch([source], tmp_path / "to")


def test_the_sets_are_whole() -> None:
    kodak = sources("kodak")
    assert len({source.url for source in kodak}) == len({source.digest for source in kodak}) == 24
    assert all(len(source.digest) == 64 for source in kodak)
    assert kodak[0].name == "kodim01.png"
    assert [source.name for source in sources("clic")] == ["professional_valid_2020.zip"]
    with pytest.raises(InputError, match="there are: kodak, clic"):
        sources("kodac")
