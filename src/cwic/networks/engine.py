"""The inference engines that run graphs: ONNX Runtime, and OpenVINO where the extra `fast` brought it.

OpenVINO is chosen if it is installed; the environment variable `CWIC_ENGINE` (`onnxruntime` or `openvino`) decides
otherwise. Engines compute floats: those choose symbols and make pixels, and no byte that is decoded depends on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from cwic.arguments import check_device
from cwic.errors import CwicError, InputError, ModelError
from cwic.networks.graph import Graph
from cwic.networks.onnx_bytes import onnx_bytes
from cwic.threads import thread_count

Array = NDArray[np.generic]
Run = Callable[[dict[str, Array]], list[NDArray[np.float32]]]
"""A loaded graph: maps named inputs to outputs."""

ENGINE_VARIABLE = "CWIC_ENGINE"
PRECISION_VARIABLE = "CWIC_PRECISION"
"""`bfloat16` lets OpenVINO make pixels in it where the processor multiplies it: faster, and less exact."""


class Engine(Protocol):
    """An inference engine: runs graphs."""

    name: str
    bfloat16: bool
    """True if the engine can compute in bfloat16 on this machine and the user asks for it."""

    def load(self, model: bytes, *, bfloat16: bool) -> Run:
        """A model in ONNX's bytes, ready to run."""
        ...


class OnnxRuntime:
    """ONNX Runtime, on processors or by its CUDA provider. Always float32."""

    name = "onnxruntime"
    bfloat16 = False

    def __init__(self, device: str) -> None:
        import onnxruntime

        check_device(device)
        provider = "CPUExecutionProvider"
        if device.startswith("cuda"):
            provider = "CUDAExecutionProvider"
            if provider not in onnxruntime.get_available_providers():
                raise InputError(f"device {device}: this ONNX Runtime has no CUDA; onnxruntime-gpu has it")
        self._runtime, self._provider = onnxruntime, provider

    def load(self, model: bytes, *, bfloat16: bool) -> Run:
        """See `Engine`."""
        options = self._runtime.SessionOptions()
        options.log_severity_level = 3
        # Threads that spin while they wait would take a core from the integer networks, which run in between.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena keeps the largest feature maps of every tile size for good.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.intra_op_num_threads = thread_count()
        session = self._runtime.InferenceSession(model, options, providers=[self._provider])

        def run(inputs: dict[str, Array]) -> list[NDArray[np.float32]]:
            return list(session.run(None, inputs))

        return run


class OpenVino:
    """OpenVINO, on processors."""

    name = "openvino"

    def __init__(self) -> None:
        import openvino

        self._core = openvino.Core()
        # OpenVINO's binding to numpy starts with the first tensor. Two threads that start it at once wait for each
        # other for ever; here there is one.
        openvino.Tensor(np.zeros(1, np.float32)).data.copy()
        native = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.bfloat16 = native and os.environ.get(PRECISION_VARIABLE, "") == "bfloat16"

    def load(self, model: bytes, *, bfloat16: bool) -> Run:
        """See `Engine`."""
        config = {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": thread_count(),
            "PERFORMANCE_HINT": "LATENCY",
            # The only threads of two processes would be pinned to the same core.
            "ENABLE_CPU_PINNING": thread_count() > 1,
        }
        compiled = self._core.compile_model(self._core.read_model(model), "CPU", config)

        def run(inputs: dict[str, Array]) -> list[NDArray[np.float32]]:
            # A request for each call: several tiles may be in work at a time.
            results = compiled.create_infer_request().infer(inputs)
            return [results[index] for index in range(len(results))]

        return run


class Network:
    """A graph and its weights: loaded by an engine at the first call, and again in a process that was forked."""

    def __init__(self, graph: Graph, weights: Callable[[list[str]], Mapping[str, Array]], device: str) -> None:
        """`weights` gives the named tensors; it is asked when the network is loaded, and what it gives is not kept."""
        self.graph, self._weights, self._device = graph, weights, device
        self._runs: dict[bool, Run] = {}
        self._lock = Lock()
        _LOADED.add(self)

    def __call__(self, inputs: dict[str, Array], *, reduced: bool = False) -> NDArray[np.float32]:
        """The first output for the graph's inputs by name. `reduced` allows bfloat16 where the user asks for it.

        Raises `ModelError` if the engine refuses the graph or its weights.
        """
        return self.outputs(inputs, reduced=reduced)[0]

    def outputs(self, inputs: dict[str, Array], *, reduced: bool = False) -> list[NDArray[np.float32]]:
        """The same, and the outputs after the first."""
        with self._lock:
            chosen = engine(self._device)
            reduced = reduced and chosen.bfloat16
            if reduced not in self._runs:
                channels = {name: each.shape[1] for name, each in inputs.items() if each.ndim == 4}
                model = onnx_bytes(self.graph, self._weights(self.graph.weights()), channels)
                with _engine_errors():
                    self._runs[reduced] = chosen.load(model, bfloat16=reduced)
            run = self._runs[reduced]
        with _engine_errors():
            return run(inputs)

    def forget(self) -> None:
        """Leaves what is loaded alone: its threads did not follow into a forked process."""
        _ABANDONED.append(self._runs)
        self._runs, self._lock = {}, Lock()


@contextmanager
def _engine_errors() -> Iterator[None]:
    """Turns what an engine raises, of whatever type, into a `ModelError` with its first line."""
    try:
        yield
    except (CwicError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"the network cannot run: {reason[0]}") from error


_LOADED: WeakSet[Network] = WeakSet()
_ENGINES: dict[tuple[str, str], Engine] = {}
_CHOOSING = Lock()
_openvino_was_forked = False
"""True if this process was forked from one that used OpenVINO. Its threads stayed there, and waiting for them hangs."""
_ABANDONED: list[Any] = []
"""Objects that are never destroyed, because destroying them would wait for their threads for ever."""


def engine(device: str = "cpu") -> Engine:
    """The engine for a device: OpenVINO for processors where it is installed, else ONNX Runtime.

    A process that was forked from one that used OpenVINO takes ONNX Runtime.

    Raises:
        InputError: the device is not here, or CWIC_ENGINE names an engine that is not.
    """
    asked = os.environ.get(ENGINE_VARIABLE, "")
    with _CHOOSING:
        if (device, asked) not in _ENGINES:
            _ENGINES[device, asked] = _open_engine(device, asked)
        return _ENGINES[device, asked]


def _open_engine(device: str, asked: str) -> Engine:
    if asked not in ("", OnnxRuntime.name, OpenVino.name):
        raise InputError(f"{ENGINE_VARIABLE} is {asked!r}: it may be {OnnxRuntime.name} or {OpenVino.name}")
    installed = find_spec("openvino") is not None
    if asked == OpenVino.name and not installed:
        raise InputError("openvino is not installed: pip install cwic[fast]")
    if device == "cpu" and installed and asked != OnnxRuntime.name and not _openvino_was_forked:
        try:
            return OpenVino()
        except Exception as error:  # an installation that does not fit the machine may raise nearly anything
            if asked:
                raise InputError(f"openvino cannot be used: {error}") from error
    return OnnxRuntime(device)


def _after_fork() -> None:
    global _CHOOSING, _openvino_was_forked
    _openvino_was_forked |= any(isinstance(each, OpenVino) for each in _ENGINES.values())
    for network in list(_LOADED):
        network.forget()
    _ABANDONED.extend(_ENGINES.values())
    _ENGINES.clear()
    _CHOOSING = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
