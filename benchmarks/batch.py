"""What `cwic batch` stands: two nodes, kills, and a store that refuses.

    python benchmarks/batch.py nodes [--pictures N] [--side W H]     # two nodes beside one, through S3
    python benchmarks/batch.py kills [--pictures N] [--kills N]      # kill -9 of a worker, a node, the driver; resume
    python benchmarks/batch.py store [--pictures N]                  # every tenth request refused, 10 s of nothing

Nodes are Ray's, each a raylet of one processor on this machine; S3 is a server of moto on 127.0.0.1. Needs the extra
`cluster`, moto[s3], flask and flask-cors. Every command checks what came of it, and ends with 1 where that is wrong.
A long manifest: batch_manifest.py.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from time import perf_counter, sleep
from typing import Any

from PIL import Image
from tenacity import Retrying, stop_after_attempt

PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "coffee.png"
SOURCE, BUCKET = "s3://photographs/all", "coded"
DOWN_SECONDS, REFUSED, TRIES = 10.0, 10, 8
LONGEST_SHARD = 120.0
"""Seconds after which somebody is killed although no shard ended."""


def bad(wrong: bool, text: str) -> int:
    """Print a check; 1 if it failed."""
    print(f"{'WRONG' if wrong else 'ok'}: {text}", flush=True)
    return int(wrong)


def make_pictures(folder: Path, asked: argparse.Namespace) -> None:
    """Parts of a photograph, in a tree."""
    width, height = asked.side
    with Image.open(asked.photograph) as file:
        photograph = file.convert("RGB")
    if photograph.width <= width or photograph.height <= height:
        raise SystemExit(f"--side {width} {height}: {asked.photograph} is not larger")
    for number in range(asked.pictures):
        left, top = number * 11 % (photograph.width - width), number * 7 % (photograph.height - height)
        path = folder / f"{number % 5}" / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph.crop((left, top, left + width, top + height)).save(path)


@contextmanager
def s3_server() -> Iterator[int]:
    """A server of S3 in a process of its own; its port."""
    script = (
        "import sys; from moto.server import ThreadedMotoServer\n"
        "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0); server.start()\n"
        "print(server.get_host_and_port()[1], flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield int(next(line for line in process.stdout if line.strip().isdigit()))
    finally:
        process.kill()
        process.wait()


def use(port: int) -> None:
    """What is started from here on finds S3 there."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ |= {"CWIC_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ |= {"RAY_worker_niceness": "0"}  # Ray's 15 would let all that only watches go first
    store.cache_clear()


@cache
def store() -> Any:
    """S3, as fsspec has it: one client, as each costs as much as a picture."""
    import s3fs

    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def upload(folder: Path) -> None:
    """Make the buckets, and put a folder there."""
    fs = store()
    for name in ("photographs", BUCKET):
        fs.mkdir(name)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        fs.pipe_file(f"photographs/all/{path.relative_to(folder).as_posix()}", path.read_bytes())


def outputs(name: str) -> dict[str, bytes]:
    """All outputs of a run."""
    fs, root = store(), f"{BUCKET}/{name}"
    found = [path for path in fs.find(root) if "/.cwic-batch/" not in path]
    return {path.removeprefix(f"{root}/"): fs.cat_file(path) for path in found}


def _patiently(make: Callable[[], Any]) -> Any:
    """What starts a node, tried again: on a busy machine Ray may give up on processes that it starts itself."""
    return Retrying(stop=stop_after_attempt(TRIES), reraise=True)(make)


class Cluster:
    """Ray nodes of one processor each. The first has the head, and the driver runs beside it."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster as RayCluster

        self._options: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
        self._cluster = _patiently(lambda: RayCluster(initialize_head=True, head_node_args=self._options))
        self.others = [self.add() for _ in range(nodes - 1)]
        self.address = self._cluster.address

    def add(self) -> Any:
        """One more node."""
        options: dict[str, Any] = {**self._options, "include_dashboard": None}
        return _patiently(lambda: self._cluster.add_node(**options))

    def kill_node(self) -> None:
        """kill -9 of the raylet of a node that is not the head; another node comes in its place."""
        node = self.others.pop()
        [raylet] = node.all_processes["raylet"]
        os.kill(raylet.process.pid, signal.SIGKILL)
        sleep(2)
        self._cluster.remove_node(node, allow_graceful=False)
        self.others.append(self.add())

    def close(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


def start(target: str, *more: str, source: str = SOURCE) -> subprocess.Popen[str]:
    """A run at work."""
    command = [sys.executable, "-m", "cwic", "batch", source, target, "--json", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a run came to."""
    out, err = process.communicate()
    if process.returncode or not out:
        raise SystemExit(f"the run ended with {process.returncode}: {out}{err}")
    try:
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
    except ValueError:
        raise SystemExit(f"the last line of the run is no JSON: {out[-500:]!r}\n{err[-2000:]}") from None
    return found


def nodes(asked: argparse.Namespace) -> int:
    """Two nodes beside one, and `cwic encode`."""
    seconds, wrong = {}, 0
    with tempfile.TemporaryDirectory() as place, s3_server() as port:
        photos, local = Path(place, "photos"), Path(place, "local")
        make_pictures(photos, asked)
        use(port)
        upload(photos)
        subprocess.run([sys.executable, "-m", "cwic", "encode", photos, "-o", local, "-j", "2"], check=True, **_SILENT)
        expected = {path.relative_to(local).as_posix(): path.read_bytes() for path in local.rglob("*.cwic")}
        for count in (1, 2):
            cluster = Cluster(count)
            try:
                # Once without counting: workers start and load the model.
                finished(start(f"s3://{BUCKET}/warm{count}", "--ray", cluster.address, "--include", "0000?.png"))
                begin = perf_counter()
                status = finished(
                    start(f"s3://{BUCKET}/{count}", "--ray", cluster.address, "--shard", str(asked.shard))
                )
                whole = perf_counter() - begin
            finally:
                cluster.close()
            seconds[count] = status["seconds"]
            print(f"{count} node(s): {status['seconds']:.1f} s from the first shard to the last, {whole:.1f} s in all")
            found = outputs(str(count))
            wrong += bad(found != expected, f"{len(found)} of {asked.pictures} outputs equal to cwic encode's")
    print(f"two nodes: {seconds[1] / seconds[2]:.2f} times one")
    return wrong


def kills(asked: argparse.Namespace) -> int:
    """A worker, a node and the driver killed in turn, until there were enough of each; then resumed."""
    random, wrong = Random(0), 0
    kinds = ("worker", "node", "driver")
    with tempfile.TemporaryDirectory() as place, s3_server() as port:
        make_pictures(Path(place, "photos"), asked)
        use(port)
        upload(Path(place, "photos"))
        target, cluster = f"s3://{BUCKET}/killed", Cluster(2)
        killed = dict.fromkeys(kinds, 0)
        try:
            options = ("--ray", cluster.address, "--shard", str(asked.shard))
            process, shards = start(target, *options), _Shards(target)
            for turn in range(asked.kills * len(kinds)):
                _wait_for_more(target, process, random)
                if process.poll() is not None:
                    print(f"everything was done after {turn} kills: more --pictures take more")
                    break
                wrong += shards.look()
                killed[kinds[turn % len(kinds)]] += _kill(kinds[turn % len(kinds)], cluster, process)
                if process.poll() is not None:
                    process = start(target, *options)
            status = finished(process)
        finally:
            cluster.close()
        wrong += shards.look(is_end=True)
        print(f"killed: {killed}")
        found = outputs("killed")
        wrong += bad(len(found) != asked.pictures, f"{len(found)} of {asked.pictures} outputs are there")
        wrong += bad(status["coded"] != asked.pictures or status["failed"] > 0, f"{status['coded']} rows say coded")
        wrong += bad(not _as_rows_say(target, found), "every output has the CRC and the size of its row")
        photos, local = Path(place, "photos"), Path(place, "local")
        subprocess.run([sys.executable, "-m", "cwic", "encode", photos, "-o", local, "-j", "2"], check=True, **_SILENT)
        expected = {path.relative_to(local).as_posix(): path.read_bytes() for path in local.rglob("*.cwic")}
        wrong += bad(found != expected, "every output is that of cwic encode")
    return wrong


def _wait_for_more(target: str, process: subprocess.Popen[str], random: Random) -> None:
    """Until one more shard is done, and a random time more; not forever, and not after the end."""
    before, limit = len(_done(target)), perf_counter() + LONGEST_SHARD
    while process.poll() is None and len(_done(target)) <= before and perf_counter() < limit:
        sleep(0.5)
    sleep(random.uniform(0, 2))


def _kill(kind: str, cluster: Cluster, process: subprocess.Popen[str]) -> int:
    """kill -9. Returns how many there were."""
    print(f"kill -9: {kind}", flush=True)
    if kind == "node":
        cluster.kill_node()
    elif kind == "driver":
        process.kill()
        process.communicate()
    else:
        limit = perf_counter() + LONGEST_SHARD
        while not (workers := _workers()):
            if process.poll() is not None or perf_counter() > limit:
                return 0
            sleep(0.2)
        os.kill(workers[0], signal.SIGKILL)
    return 1


def _workers() -> list[int]:
    """Processes of Ray that do a shard."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 1) for line in listed.splitlines() if "ray::" in line and "IDLE" not in line]
    return [int(pid) for pid, name in lines if "MapBatches" in name]


def _done(target: str) -> dict[str, tuple[str, str]]:
    """The shards that are done, and which version of its results each has."""
    found = store().find(f"{target.removeprefix('s3://')}/.cwic-batch/done", detail=True)
    files = ((path, info) for path, info in found.items() if info["type"] == "file")  # not a new folder
    return {Path(path).stem: (str(info["LastModified"]), str(info["ETag"])) for path, info in files}


class _Shards:
    """What was seen of the shards: results of those that were done, and which were being done when one was killed."""

    def __init__(self, target: str) -> None:
        self._target, self._known = target, dict[str, tuple[str, str]]()
        self._in_flight = set[str]()

    def look(self, *, is_end: bool = False) -> int:
        """Whether a shard that was done has been done again: its results would have been written again."""
        now = _done(self._target)
        again = {name for name, version in self._known.items() if now.get(name) != version}
        self._known |= now
        if not is_end:
            started = store().find(f"{self._target.removeprefix('s3://')}/.cwic-batch/started")
            self._in_flight |= {Path(path).name for path in started} - now.keys()
        wrong = again - self._in_flight
        return bad(bool(wrong), f"{len(now)} shards done; twice: {len(again - wrong)} in flight, {len(wrong)} others")


def _as_rows_say(target: str, found: dict[str, bytes]) -> bool:
    from zlib import crc32

    from cwic.batch.manifest import Manifest
    from cwic.batch.store import Target

    rows = {row.output: (row.crc, row.bytes) for row in Manifest(Target(target)).all_rows()}
    return rows == {name: (crc32(data), len(data)) for name, data in found.items()}


class _Refusing(BaseHTTPRequestHandler):
    """Hands requests on to S3, but refuses every tenth, and all while it is down."""

    protocol_version = "HTTP/1.1"
    behind = 0
    count = refused = 0
    down_at = float("inf")
    lock = threading.Lock()

    def _pass(self) -> None:
        with self.lock:
            kind = type(self)
            kind.count += 1
            is_down = 0 <= perf_counter() - kind.down_at < DOWN_SECONDS
            is_refused = is_down or kind.count % REFUSED == 0
            kind.refused += is_refused
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if is_down:
            self.close_connection = True
            self.connection.close()
            return
        if is_refused:
            self._answer(503, [("Content-Type", "application/xml")], _SLOW_DOWN)
            return
        there = HTTPConnection("127.0.0.1", self.behind, timeout=60)
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        data = answer.read()
        skipped = ("transfer-encoding", "connection", "content-length", "date", "server")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in skipped]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self._answer(answer.status, headers, data, length)
        there.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, length: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
_SILENT: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def refusing_store(asked: argparse.Namespace) -> int:
    """A run on this machine through a store that refuses and is down."""
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        port = stack.enter_context(s3_server())
        make_pictures(Path(place), asked)
        use(port)
        upload(Path(place))
        _Refusing.behind = port
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        use(proxy.server_address[1])
        process = start(f"s3://{BUCKET}/refused", "--shard", str(asked.shard))
        use(port)
        while process.poll() is None and not _done(f"s3://{BUCKET}/refused"):
            sleep(0.2)
        print(f"after {_Refusing.count} requests the store is down for {DOWN_SECONDS:g} s", flush=True)
        _Refusing.down_at = perf_counter()
        status = finished(process)
        proxy.shutdown()
        print(f"{_Refusing.count} requests, {_Refusing.refused} refused or lost; {status['seconds']:.1f} s")
        wrong = bad(status["coded"] != asked.pictures, f"{status['coded']} of {asked.pictures} coded")
        found = outputs("refused")
        wrong += bad(not _as_rows_say(f"s3://{BUCKET}/refused", found), f"{len(found)} outputs are as their rows say")
    return wrong


def main() -> int:
    """Do what is asked; how many checks failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    works = {"nodes": nodes, "kills": kills, "store": refusing_store}
    for name in works:
        command = commands.add_parser(name)
        command.add_argument("--pictures", type=int, default=500)
        command.add_argument("--side", type=int, nargs=2, default=(256, 192))
        command.add_argument("--photograph", type=Path, default=PHOTOGRAPH, help="what the pictures are cut from")
        command.add_argument("--shard", type=int, default=10)
        command.add_argument("--kills", type=int, default=5)
    asked = parser.parse_args()
    return works[asked.command](asked)


if __name__ == "__main__":
    sys.exit(main() > 0)
