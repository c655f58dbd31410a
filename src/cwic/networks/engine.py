"""The engines that run graphs: our own in C, ONNX Runtime, and OpenVINO where the extra `fast` brought it.

On processors with AVX2 our own runs the graphs that it knows; OpenVINO, if it is installed, or ONNX Runtime runs the
others. The environment variable `CWIC_ENGINE` (`native`, `onnxruntime` or `openvino`) decides otherwise. Engines
compute floats: those choose symbols and make pixels, and no byte that is decoded depends on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import CDLL
from importlib.util import find_spec
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from cwic import libraries
from cwic.arguments import check_device
from cwic.errors import CwicError, InputError, ModelError
from cwic.networks import native
from cwic.networks.graph import Graph
from cwic.networks.onnx_bytes import onnx_bytes
from cwic.threads import thread_count

Array = NDArray[np.generic]
Run = Callable[[dict[str, Array]], list[NDArray[np.float32]]]
"""A loaded graph: maps named inputs to outputs."""

ENGINE_VARIABLE = "CWIC_ENGINE"
SLOW_LIBRARIES = (libraries.NONE, "plain")
"""With them another engine is faster than our own."""


class Engine(Protocol):
    """An inference engine: runs graphs."""

    name: str

    def load(self, graph: Graph, weights: Mapping[str, Array], channels: Mapping[str, int]) -> Run:
        """A graph and its weights, ready to run. `channels` are those of the inputs that are maps, by name."""
        ...


class OnnxRuntime:
    """ONNX Runtime, on processors or by its CUDA provider."""

    name = "onnxruntime"

    def __init__(self, device: str) -> None:
        import onnxruntime

        check_device(device)
        provider = "CPUExecutionProvider"
        if device.startswith("cuda"):
            provider = "CUDAExecutionProvider"
            if provider not in onnxruntime.get_available_providers():
                raise InputError(f"device {device}: this ONNX Runtime has no CUDA; onnxruntime-gpu has it")
        self._runtime, self._provider = onnxruntime, provider

    def load(self, graph: Graph, weights: Mapping[str, Array], channels: Mapping[str, int]) -> Run:
        """See `Engine`."""
        options = self._runtime.SessionOptions()
        options.log_severity_level = 3
        # Threads that spin while they wait would take a core from the integer networks, which run in between.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena keeps the largest feature maps of every tile size for good.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.intra_op_num_threads = thread_count()
        session = self._runtime.InferenceSession(
            onnx_bytes(graph, weights, channels), options, providers=[self._provider]
        )

        def run(inputs: dict[str, Array]) -> list[NDArray[np.float32]]:
            return list(session.run(None, _contiguous(inputs)))

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
        global _openvino_was_used
        _openvino_was_used = True

    def load(self, graph: Graph, weights: Mapping[str, Array], channels: Mapping[str, int]) -> Run:
        """See `Engine`."""
        config = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": thread_count(),
            "PERFORMANCE_HINT": "LATENCY",
            # The only threads of two processes would be pinned to the same core.
            "ENABLE_CPU_PINNING": thread_count() > 1,
        }
        model = self._core.read_model(onnx_bytes(graph, weights, channels))
        compiled = self._core.compile_model(model, "CPU", config)

        def run(inputs: dict[str, Array]) -> list[NDArray[np.float32]]:
            # A request for each call: several tiles may be in work at a time.
            results = compiled.create_infer_request().infer(_contiguous(inputs))
            return [results[index] for index in range(len(results))]

        return run


def _contiguous(inputs: dict[str, Array]) -> dict[str, Array]:
    """The inputs as engines read them: what our own engine made has its channels last in memory."""
    return {name: np.ascontiguousarray(each) for name, each in inputs.items()}


class Native:
    """Our own engine in C, and another for the graphs that it does not know."""

    name = "native"

    def __init__(self, library: CDLL) -> None:
        self._library = library

    def load(self, graph: Graph, weights: Mapping[str, Array], channels: Mapping[str, int]) -> Run:
        """See `Engine`."""
        steps = native.plan(self._library, graph, weights, channels)
        if steps is None:
            return _other_engine("cpu").load(graph, weights, channels)
        return lambda inputs: native.run(steps, graph, inputs)


class Network:
    """A graph and its weights: loaded by an engine at the first call, and again in a process that was forked."""

    def __init__(self, graph: Graph, weights: Callable[[list[str]], Mapping[str, Array]], device: str) -> None:
        """`weights` gives the named tensors; it is asked when the network is loaded, and what it gives is not kept."""
        self.graph, self._weights, self._device = graph, weights, device
        self._runs: dict[str, Run] = {}
        self._lock = Lock()
        _LOADED.add(self)

    def __call__(self, inputs: dict[str, Array], *, precise: bool = False) -> NDArray[np.float32]:
        """The first output for the graph's inputs by name; it may be a view with its channels last in memory.

        `precise` asks for float32 throughout, which our own engine does not give.

        Raises `ModelError` if the engine refuses the graph or its weights.
        """
        return self.outputs(inputs, precise=precise)[0]

    def outputs(self, inputs: dict[str, Array], *, precise: bool = False) -> list[NDArray[np.float32]]:
        """The same, and the outputs after the first."""
        with self._lock:
            chosen = engine(self._device)
            if precise and isinstance(chosen, Native):
                chosen = _other_engine(self._device)
            if chosen.name not in self._runs:
                channels = {name: each.shape[1] for name, each in inputs.items() if each.ndim == 4}
                with _engine_errors():
                    self._runs[chosen.name] = chosen.load(self.graph, self._weights(self.graph.weights()), channels)
            run = self._runs[chosen.name]
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
_openvino_was_used = False
_openvino_was_forked = False
"""True if this process was forked from one that used OpenVINO. Its threads stayed there, and waiting for them hangs."""
_ABANDONED: list[Any] = []
"""Objects that are never destroyed, because destroying them would wait for their threads for ever."""


def engine(device: str = "cpu") -> Engine:
    """The engine for a device: for processors our own if it is fast there, OpenVINO if installed, or ONNX Runtime.

    A process that was forked from one that used OpenVINO does without it.

    Raises:
        InputError: the device is not here, or CWIC_ENGINE names an engine that is not.
    """
    asked = os.environ.get(ENGINE_VARIABLE, "")
    if asked not in ("", Native.name, OnnxRuntime.name, OpenVino.name):
        raise InputError(
            f"{ENGINE_VARIABLE} is {asked!r}: it may be {Native.name}, {OnnxRuntime.name} or {OpenVino.name}"
        )
    if device == "cpu" and asked in ("", Native.name):
        library, name = libraries.library(), libraries.chosen()
        if library is not None and (asked or name not in SLOW_LIBRARIES):
            return Native(library)
        if asked:
            raise InputError("cwic was installed without its libraries in C, or CWIC_NATIVE leaves them out")
    return _other_engine(device, asked)


def _other_engine(device: str, asked: str = "") -> Engine:
    """The engine that is not ours; `asked` names it."""
    with _CHOOSING:
        if (device, asked) not in _ENGINES:
            _ENGINES[device, asked] = _open_engine(device, asked)
        return _ENGINES[device, asked]


def _open_engine(device: str, asked: str) -> Engine:
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
    _openvino_was_forked |= _openvino_was_used
    for network in list(_LOADED):
        network.forget()
    _ABANDONED.extend(_ENGINES.values())
    _ENGINES.clear()
    _CHOOSING = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
