from __future__ import annotations

import gzip
import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from cwic.errors import InputError
from cwic.models import catalog
from cwic.view.pictures import Pictures
from cwic.view.server import ViewServer


def ask(
    server: ViewServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


@pytest.fixture
def root(server: ViewServer) -> str:
    return urlsplit(server.url).path


def test_only_the_loopback_address_and_only_with_the_token(server: ViewServer, root: str) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, root)[0] == 200
    for path in ("/", "/index.html", root[:-2] + "/", "/x" + root, "/%C3%A4/"):
        assert ask(server, path)[0] == 404
    assert ask(server, root, Host="evil.example")[0] == 403
    assert ask(server, root, Origin="https://evil.example")[0] == 403
    assert ask(server, root, Host=f"localhost:{server.server_port}")[0] == 200


def test_the_page_may_have_threads_and_nothing_from_elsewhere(server: ViewServer, root: str) -> None:
    status, body, headers = ask(server, root)
    assert status == 200
    assert b'data-api="api/"' in body
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    for name in ("cwic.js", "worker.js", "cwic.wasm", "viewer.css"):
        assert ask(server, root + name)[0] == 200


def test_what_is_gzipped_is_inflated_by_the_browser_on_the_way(server: ViewServer, root: str) -> None:
    path = f"{root}ort-wasm-simd-threaded.wasm.gz"
    for accepted in ("gzip, deflate, br", ""):
        status, body, headers = ask(server, path, Accept_Encoding=accepted)
        assert (status, body[:2]) == (200, b"\x1f\x8b")
        encoding, kind = headers.get("Content-Encoding"), headers["Content-Type"]
        assert (encoding, kind) == (("gzip", "application/wasm") if accepted else (None, "application/octet-stream"))
    assert gzip.decompress(body)[:4] == b"\0asm"


@pytest.mark.parametrize(
    "path", ["../pyproject.toml", "..%2f..%2fpyproject.toml", "models/../cwic.js", "models/x", "x"]
)
def test_there_is_nothing_else(server: ViewServer, root: str, path: str) -> None:
    assert ask(server, root + path)[0] == 404


def test_models_are_made_when_they_are_asked_for(server: ViewServer, root: str) -> None:
    name = f"{catalog.id_of('cwic-s').hex()}.safetensors"
    status, body, _ = ask(server, f"{root}models/{name}")
    assert (status, server.models[name]) == (200, "cwic-s")
    assert 1e6 < len(body) < 6e6


def test_pictures_are_listed_added_and_measured(server: ViewServer, root: str) -> None:
    found = json.loads(ask(server, root + "api/pictures")[1])
    assert [row["name"] for row in found["pictures"][:2]] == ["chelsea.png", "cwic_m.cwic"]
    assert found["models"][0] == catalog.DEFAULT
    status, golden, _ = ask(server, root + "api/pictures/1/cwic")
    assert (status, golden[:3]) == (200, b"\x89CW")
    row = json.loads(ask(server, root + "api/pictures?name=x.cwic", "POST", golden)[1])
    assert row["name"] == "x.cwic"
    assert ask(server, f"{root}api/pictures/{row['id']}/cwic")[1] == golden
    measured = json.loads(ask(server, root + "api/pictures/1/measure")[1])
    assert measured["bytes"] == len(golden)
    jpeg = ask(server, root + "api/pictures/1/other?format=jpeg")[1]
    assert jpeg[:2] == b"\xff\xd8"
    assert ask(server, root + "api/pictures/1/original")[1][:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("api/pictures/99/cwic", "no picture 99"),
        ("api/pictures/0/cwic?quality=nan", "between 0 and 100"),
        ("api/pictures/0/cwic?quality=x", "between 0 and 100"),
        ("api/pictures/0/cwic?model=/etc/passwd", "unknown model"),
        ("api/pictures/0/other?format=gif", "the format is one of"),
    ],
)
def test_wrong_questions_are_answered_with_a_sentence(server: ViewServer, root: str, path: str, said: str) -> None:
    status, body, _ = ask(server, root + path)
    assert status == 400
    assert said in body.decode()


def test_what_is_no_picture_is_refused(server: ViewServer, root: str) -> None:
    status, body, _ = ask(server, root + "api/pictures?name=a.png", "POST", b"nothing")
    assert status == 400
    assert b"picture" in body
    assert ask(server, root + "elsewhere", "POST", b"")[0] == 404
    assert ask(server, root + "api/pictures", "POST", b"x", Content_Length=str(1 << 40))[0] == 413


def test_a_port_that_is_taken(server: ViewServer) -> None:
    with pytest.raises(InputError, match="cannot listen on port"):
        ViewServer(Pictures(), server.server_port)
