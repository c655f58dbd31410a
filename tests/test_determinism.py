"""One file, many machines: what decides a byte is the same under every setting that changes how floats are computed.

Each condition is a process of its own, because the libraries read their settings once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import read_container, unpack_tile
from cwic.image.arrays import to_floats
from cwic.image.geometry import pad
from cwic.image.picture import as_picture
from cwic.libraries import usable
from cwic.models import catalog

ROOT = Path(__file__).parents[1]
LEVEL = 620
MODELS = (*catalog.shipped(), "cwam2024")

WORK = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
from cwic.codec import decode
from cwic.container import read_container, unpack_tile
from cwic import libraries
from cwic.models.catalog import open_model
from cwic.networks import product
from cwic.networks.engine import engine
from cwic.threads import thread_count

folder, answer = Path(sys.argv[1]), Path(sys.argv[2])
decided = {}
for file in sorted(folder.glob("*.cwic")):
    data, name = file.read_bytes(), file.with_suffix(".model").read_text()
    header, chunks = read_container(data)
    crc, coded = unpack_tile(chunks[-1].payload)
    model = open_model(name)
    y_hat = model.decompress(coded, crc, 128, 192, header.level)
    np.save(answer / f"{file.stem}.npy", np.asarray(decode(data, model=name)))
    floats = np.load(file.with_suffix(".npz"))
    # The same y and z: which symbols are written of a picture is the encoder's choice, and may differ.
    model.hyper_analyse = lambda *_: floats["z"]
    again = model.compress(floats["y"], header.level)
    decided[file.stem] = {
        "latents": hashlib.sha256(y_hat.astype("<i8").tobytes()).hexdigest(),
        "coded": hashlib.sha256(again.data).hexdigest(),
        "crc": again.crc,
    }
print(json.dumps([decided, {
    "threads": thread_count(), "engine": engine().name, "product": product._chosen().__name__,
    "library": libraries.chosen(), "torch": "torch" in sys.modules,
}]))
"""


class Outcome(NamedTuple):
    """What a condition came to, by model: hashes of what must not change, and the pixels; and its settings."""

    decided: dict
    settings: dict
    pixels: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folder(cwam2024_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each model a file made in this process, and the float latents that it came from."""
    folder = tmp_path_factory.mktemp("files")
    with Image.open(ROOT / "examples" / "coffee.png") as image:
        picture = image.convert("RGB").crop((180, 120, 372, 248))
    x = pad(to_floats(as_picture(picture)))
    for stem in MODELS:
        name = str(cwam2024_weights) if stem == "cwam2024" else stem
        quality = None if stem == "cwam2024" else LEVEL / 10
        data = cwic.encode(picture, quality=quality, model=name)
        level = read_container(data).header.level
        model = catalog.open_model(name)
        y = model.finish_analysis(model.prepare_analysis(x), level)
        z = model.hyper_analyse(y, level)
        (folder / f"{stem}.model").write_text(name)
        (folder / f"{stem}.cwic").write_bytes(data)
        np.savez(folder / f"{stem}.npz", y=y, z=z)
    return folder


def run(folder: Path, answer: Path, environment: dict[str, str]) -> Outcome:
    plain = {"PYTHONPATH": str(ROOT / "src"), "CWIC_THREADS": "1"}
    settings = os.environ | plain | environment
    process = subprocess.run([sys.executable, "-c", WORK, folder, answer], env=settings, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return Outcome(*json.loads(process.stdout), {stem: np.load(answer / f"{stem}.npy") for stem in MODELS})


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the machine does when nobody asks for anything."""
    return run(folder, tmp_path_factory.mktemp("plain"), {})


def _needs(flag: str) -> pytest.MarkDecorator:
    """Skips where the processor lacks an instruction set: OpenBLAS trusts the setting and would crash."""
    info = Path("/proc/cpuinfo")
    known = info.is_file() and flag in info.read_text().split()
    return pytest.mark.skipif(not known, reason=f"this processor is not known to have {flag}")


FAST = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra fast is not installed")
NUMPY = {"CWIC_NATIVE": "none"}
CONDITIONS = [
    pytest.param({"CWIC_THREADS": "2"}, {"threads": 2}, id="two threads"),
    pytest.param({"CWIC_ENGINE": "onnxruntime"}, {"engine": "onnxruntime"}, id="ONNX Runtime"),
    pytest.param({"CWIC_ENGINE": "onnxruntime", "CWIC_THREADS": "2"}, {"threads": 2}, id="ONNX Runtime, two threads"),
    pytest.param({"CWIC_ENGINE": "openvino"}, {"engine": "openvino"}, id="OpenVINO", marks=FAST),
    *(
        pytest.param(
            {"CWIC_NATIVE": name, "CWIC_ENGINE": "native", "CWIC_THREADS": threads},
            {"library": name, "engine": "native"},
            id=f"in C, {name}, {threads} threads",
        )
        for name in usable()
        for threads in ("1", "2")
    ),
    pytest.param(NUMPY, {"library": "none"}, id="numpy"),
    pytest.param(NUMPY | {"CWIC_THREADS": "2"}, {"library": "none"}, id="numpy, two threads"),
    pytest.param(NUMPY | {"CWIC_INTEGER_MATMUL": "float64"}, {"product": "_doubles"}, id="products in doubles"),
    pytest.param(NUMPY | {"CWIC_INTEGER_MATMUL": "numpy"}, {"product": "matmul"}, id="products by numpy"),
    *(
        pytest.param(
            NUMPY | {"CWIC_INTEGER_MATMUL": "numpy", "OPENBLAS_NUM_THREADS": threads, "OPENBLAS_CORETYPE": core},
            {"library": "none"},
            id=f"products by numpy, OpenBLAS for {core}, {threads} threads",
            marks=_needs(flag),
        )
        for core, flag in (("Haswell", "avx2"), ("Zen", "avx2"), ("SkylakeX", "avx512f"), ("Nehalem", "sse4_2"))
        for threads in ("1", "2")
    ),
]


@pytest.mark.parametrize(("environment", "takes_effect"), CONDITIONS)
def test_latents_and_bytes_do_not_depend_on_the_machine(
    folder: Path, expected: Outcome, tmp_path: Path, environment: dict[str, str], takes_effect: dict[str, object]
) -> None:
    outcome = run(folder, tmp_path, environment)
    assert takes_effect.items() <= outcome.settings.items()
    assert not outcome.settings["torch"]
    assert outcome.decided == expected.decided
    for stem in MODELS:
        difference = np.abs(outcome.pixels[stem].astype(int) - expected.pixels[stem].astype(int))
        assert difference.max() <= 1, stem


@pytest.mark.parametrize("stem", MODELS)
def test_the_processes_write_what_the_file_holds(folder: Path, expected: Outcome, stem: str) -> None:
    crc, coded = unpack_tile(read_container((folder / f"{stem}.cwic").read_bytes()).chunks[-1].payload)
    found = expected.decided[stem]
    assert (found["crc"], found["coded"]) == (crc, sha256(coded).hexdigest())
    assert expected.pixels[stem].shape == (128, 192, 3)
