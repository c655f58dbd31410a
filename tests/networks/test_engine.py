from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.errors import InputError, ModelError
from cwic.libraries import LIBRARY_VARIABLE, NONE, usable
from cwic.networks import engine as module
from cwic.networks.engine import ENGINE_VARIABLE, Network, engine
from cwic.networks.graph import Graph, Node

GRAPH = Graph({"x": ("float32", 4)}, (Node("Conv", ("x", "w"), ("y",), {"pads": (1, 1, 1, 1)}),), ("y",))
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.standard_normal((64, 64, 3, 3)).astype(np.float32)
X = RANDOM.standard_normal((1, 64, 9, 7)).astype(np.float32)


def network(weight: NDArray[np.float32] = WEIGHT, device: str = "cpu") -> Network:
    return Network(GRAPH, lambda names: dict.fromkeys(names, weight), device)


def expected() -> NDArray[np.float64]:
    padded = np.pad(X[0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    taps = [(row, column) for row in range(3) for column in range(3)]
    return sum(np.einsum("oi,ihw->ohw", WEIGHT[:, :, r, c], padded[:, r : r + 9, c : c + 7]) for r, c in taps)[None]


NATIVE = pytest.param("native", marks=pytest.mark.skipif(
    not usable(), reason="no C compiler was found when cwic was installed"
))  # fmt: skip
ENGINES = ["onnxruntime", NATIVE, pytest.param("openvino", marks=pytest.mark.skipif(
    module.find_spec("openvino") is None, reason="the extra fast is not installed"
))]  # fmt: skip


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_computes_the_graph(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, name)
    assert engine().name == name
    found = network()({"x": X})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(), rtol=1e-3, atol=0.02 if name == "native" else 1e-3)


def test_a_network_is_loaded_once_and_by_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    asked: list[list[str]] = []
    shared = Network(GRAPH, lambda names: asked.append(names) or dict.fromkeys(names, WEIGHT), "cpu")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shared({"x": X}), range(8)))
    assert asked == [["w"]]
    assert all(np.array_equal(each, found[0]) for each in found)


@pytest.mark.parametrize("name", ENGINES)
def test_a_graph_that_an_engine_refuses_is_a_model_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, name)
    with pytest.raises(ModelError, match="the network cannot run: "):
        network(WEIGHT[:, :5])({"x": X})
    with pytest.raises(ModelError, match="the network cannot run: "):
        network()({"x": X[:, :7]})


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tpu"])
def test_a_device_that_is_not_here_is_one_sentence(device: str) -> None:
    with pytest.raises(InputError, match=f"device '?{device}'?: "):
        network(device=device)({"x": X})


def test_an_installation_that_does_not_work_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise RuntimeError("no such symbol")

    monkeypatch.setenv(LIBRARY_VARIABLE, NONE)
    monkeypatch.setattr(module.OpenVino, "__init__", broken)
    monkeypatch.setattr(module, "find_spec", lambda _: object())
    monkeypatch.setattr(module, "_ENGINES", {})
    assert engine().name == "onnxruntime"
    monkeypatch.setenv(ENGINE_VARIABLE, "openvino")
    with pytest.raises(InputError, match="openvino cannot be used: no such symbol"):
        engine()


def test_an_engine_that_is_not_here_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, "tensorflow")
    with pytest.raises(InputError, match="may be native, onnxruntime or openvino"):
        engine()
    monkeypatch.setenv(ENGINE_VARIABLE, "openvino")
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    monkeypatch.setattr(module, "_ENGINES", {})
    with pytest.raises(InputError, match=r"pip install cwic\[fast\]"):
        engine()
    monkeypatch.setenv(LIBRARY_VARIABLE, NONE)
    monkeypatch.delenv(ENGINE_VARIABLE)
    assert engine().name == "onnxruntime"
    monkeypatch.setenv(ENGINE_VARIABLE, "native")
    with pytest.raises(InputError, match="without its libraries in C"):
        engine()


@pytest.mark.parametrize("library", usable())
def test_our_own_engine_is_taken_where_it_is_the_fastest(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)
    monkeypatch.setenv(LIBRARY_VARIABLE, library)
    assert (engine().name == "native") == (library != "plain")


@pytest.mark.skipif(not usable(), reason="no C compiler was found when cwic was installed")
def test_another_engine_runs_what_our_own_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, "native")
    graph = Graph({"x": ("float32", 4)}, (Node("Softmax", ("x",), ("y",), {"axis": 1}),), ("y",))
    found = Network(graph, lambda _: {}, "cpu")({"x": X})
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_engines_take_arrays_with_channels_last(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, name)
    turned = np.ascontiguousarray(X.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(network()({"x": turned}), network()({"x": X}))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("name", ENGINES)
def test_a_forked_process_decodes_as_its_parent_does(name: str) -> None:
    script = """
import os, sys
import cwic, numpy as np
data = open(sys.argv[1], "rb").read()
before = np.asarray(cwic.decode(data)).astype(int)
child = os.fork()
if child == 0:
    os._exit(0 if np.abs(np.asarray(cwic.decode(data)) - before).max() <= 1 else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    golden = Path(__file__).parents[1] / "golden" / "cwic_s.cwic"
    paths = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), ENGINE_VARIABLE: name}
    command = [sys.executable, "-c", script, str(golden)]
    assert subprocess.run(command, env=os.environ | paths, timeout=120, check=False).returncode == 0


FIRST_RUNS = """
import os, sys, threading
import numpy as np
from cwic.networks.engine import engine
from cwic.networks.graph import Graph, Node

sys.setswitchinterval(1e-6)
graph = Graph({"a": ("float32", 2), "b": ("float32", 2)}, (Node("MatMul", ("a", "b"), ("c",), {}),), ("c",))
run = engine().load(graph, {}, {})
ones, together = np.ones((8, 8), np.float32), threading.Barrier(8)
threads = [
    threading.Thread(target=lambda: (together.wait(), run({"a": ones, "b": ones})), daemon=True) for _ in range(8)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(20)
    if thread.is_alive():
        os._exit(1)
"""


@pytest.mark.parametrize("name", ENGINES)
def test_threads_may_run_the_first_network_at_once(name: str) -> None:
    for _ in range(3):
        environment = os.environ | {ENGINE_VARIABLE: name}
        assert subprocess.run([sys.executable, "-c", FIRST_RUNS], env=environment, check=False).returncode == 0
