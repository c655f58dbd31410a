"""The server of `cwic view`. It answers this machine alone, and only addresses that contain its secret token."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from cwic.errors import CwicError, InputError
from cwic.models import catalog
from cwic.view.formats import OTHERS
from cwic.view.page_model import page_model, page_models
from cwic.view.pictures import Pictures, Settings
from cwic.view.site import MODELS, page_files

MAX_UPLOAD = 1 << 30
_KINDS = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
_BYTES = "application/octet-stream"
_GZIPPED = ".gz"
_HEADERS = {
    # The first two allow the page to have threads; the others keep other pages and caches away from it.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self' blob: data:; script-src 'self' blob: 'wasm-unsafe-eval'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Answer(NamedTuple):
    """The answer to a request."""

    body: bytes
    kind: str = _BYTES
    status: int = 200
    encoding: str | None = None


class ViewServer(ThreadingHTTPServer):
    """A server of the page and of `pictures` on the loopback address. `url` is the address of the page."""

    daemon_threads = True

    def __init__(self, pictures: Pictures, port: int = 0) -> None:
        """Listen on a port; 0 takes a free one. Raises `InputError` if it is taken, or the package lacks the page."""
        self.pictures = pictures
        self.token = secrets.token_urlsafe(16)
        self.files = page_files()
        self.models = page_models()
        self.model = lru_cache(8)(page_model)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"cannot listen on port {port}: {getattr(error, 'strerror', None) or error}") from error

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def variable_models(self) -> list[str]:
        """Return the names of the available models of every rate that the page decodes, the default first."""
        names = dict.fromkeys([catalog.DEFAULT, *self.models.values()])
        return [n for n in names if n not in catalog.EARLIER and catalog.describe(n).config.variable_rate]


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version, sys_version = "cwic", ""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the page shows what went wrong."""

    def _answer(self, work: Callable[[str, dict[str, str]], Answer]) -> None:
        address = urlsplit(self.path)
        given, _, path = address.path.removeprefix("/").partition("/")
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        hosts = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts or (origin and urlsplit(origin).netloc not in hosts):
            answer = Answer(b"this server is for pages of this machine", "text/plain", 403)
        elif not secrets.compare_digest(given.encode(), self.server.token.encode()):
            answer = Answer(b"there is nothing here: use the address that cwic view said", "text/plain", 404)
        else:
            try:
                answer = work(path, query)
            except CwicError as error:
                answer = _text(str(error), 400)
            except MemoryError:
                answer = _text("not enough memory", 500)
            except Exception as error:  # without an answer, the page would wait for ever
                answer = _text(f"cwic view failed: {type(error).__name__}: {error}", 500)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        try:
            self.send_response(answer.status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", answer.kind)
            if answer.encoding:
                self.send_header("Content-Encoding", answer.encoding)
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.status != 200:
                self.close_connection = True
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)
        except ConnectionError:
            self.close_connection = True  # the page no longer waits

    def _get(self, path: str, query: dict[str, str]) -> Answer:
        if path in ("", "index.html"):
            page = self.server.files["index.html"].read_text("utf-8")
            return _text(page.replace('data-api=""', 'data-api="api/"'), kind=_KINDS[".html"])
        if path in self.server.files:
            file = self.server.files[path]
            if file.suffix == _GZIPPED and "gzip" in self.headers.get("Accept-Encoding", ""):
                return Answer(file.read_bytes(), _KINDS[Path(file.stem).suffix], encoding="gzip")
            return Answer(file.read_bytes(), _KINDS.get(file.suffix, _BYTES))
        folder, _, name = path.partition("/")
        if folder == MODELS and name in self.server.models:
            return Answer(self.server.model(self.server.models[name], analysis="-analysis" in name))
        if path == "api/pictures":
            models, rows = self.server.variable_models(), self.server.pictures.rows()
            return _json({"pictures": rows, "models": models, "others": OTHERS})
        if found := re.fullmatch(r"api/pictures/(\d{1,9})/(cwic|original|other|measure)", path):
            return self._picture(int(found[1]), found[2], query)
        return _text("there is nothing here", 404)

    def _picture(self, number: int, what: str, query: dict[str, str]) -> Answer:
        pictures, settings = self.server.pictures, _settings(query)
        if what == "cwic":
            return Answer(pictures.cwic(number, settings))
        if what == "original":
            return Answer(pictures.original(number), "image/png")
        if what == "other":
            return Answer(pictures.other(number, query.get("format", ""), settings).data)
        return _json(pictures.measure(number, settings, query.get("format")))

    def _post(self, path: str, query: dict[str, str]) -> Answer:
        length = self.headers.get("Content-Length", "")
        if path != "api/pictures" or not length.isdigit():
            return _text("there is nothing here", 404)
        if int(length) > MAX_UPLOAD:
            return _text("the file is too large", 413)
        content = self.rfile.read(int(length))
        if len(content) < int(length):
            raise InputError("the file did not arrive whole")
        return _json(self.server.pictures.row(self.server.pictures.add(query.get("name", "picture"), content)))


def _settings(query: dict[str, str]) -> Settings:
    quality = query.get("quality")
    model = query.get("model")
    try:
        value = None if quality is None else float(quality)
    except ValueError:
        raise InputError(f"quality must be a number between 0 and 100, not {quality}") from None
    if value is not None and not 0 <= value <= 100:
        raise InputError(f"quality must be a number between 0 and 100, not {quality}")
    if model is not None and model not in catalog.names():  # never a path
        raise InputError(f"unknown model {model}")
    return Settings(value, model)


def _text(text: str, status: int = 200, kind: str = "text/plain; charset=utf-8") -> Answer:
    return Answer(text.encode(), kind, status)


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), "application/json")
