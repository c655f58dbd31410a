"""One file, many machines: what decides a byte is the same under every setting that changes how floats are computed.

Each condition is a process of its own, because the libraries read their settings once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

import cwic
from cwic.container import read_container, unpack_tile
from cwic.image.geometry import pad
from cwic.image.picture import as_picture
from cwic.image.tensors import to_tensor
from cwic.latents.coding import CodedLatents, encode_latents
from cwic.latents.coding_serial import encode_serial
from cwic.models import cwam2024_export, exported
from cwic.models.catalog import open_model

ROOT = Path(__file__).parents[1]
LEVEL = 620

FAMILIES = ("cwic", "cwic-m", "cwam2024")
"""The first with its two sizes."""

WORK = """
import hashlib, json, sys
from pathlib import Path
import numpy as np, torch

folder, answer, setting = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
exec(setting)
from cwic.codec import decode
from cwic.container import read_container, unpack_tile
from cwic.entropy import SymbolEncoder
from cwic.latents.coding import encode_latents
from cwic.latents.coding_serial import encode_serial
from cwic.latents.fixed_point import _int8_kernel_is_exact
from cwic.models.catalog import open_model

bytes_decided = {}
for family, encode in (("cwic", encode_latents), ("cwic-m", encode_latents), ("cwam2024", encode_serial)):
    data = (folder / f"{family}.cwic").read_bytes()
    header, chunks = read_container(data)
    crc, coded = unpack_tile(chunks[-1].payload)
    name = (folder / f"{family}.model").read_text()
    model = open_model(name)
    latents = model.decode_latents(coded, crc, 128, 192, header.level)
    np.save(answer / f"{family}.npy", np.asarray(decode(data, model=name)))
    floats = torch.load(folder / f"{family}.pt", weights_only=True)
    again = encode(model.prior, SymbolEncoder(model.tables), *floats)
    bytes_decided[family] = {
        "latents": hashlib.sha256(latents.numpy().astype("<i8").tobytes()).hexdigest(),
        "coded": hashlib.sha256(again.data).hexdigest(),
        "crc": again.crc,
    }
print(json.dumps([bytes_decided, {
    "isa": torch.backends.cpu.get_cpu_capability(),
    "threads": torch.get_num_threads(),
    "int8": _int8_kernel_is_exact("cpu"),
    "onednn": torch.backends.mkldnn.enabled,
}]))
"""


class Outcome(NamedTuple):
    """What a condition came to, by family: hashes of what must not change, and the pixels; and its settings."""

    decided: dict
    settings: dict
    pixels: dict[str, np.ndarray]


class Sink:
    """Takes what an encoder gives to its coder, for its latents alone."""

    def encode(self, symbols: np.ndarray, indexes: np.ndarray) -> None:
        assert symbols.size == indexes.size

    def finish(self) -> bytes:
        return b""


@pytest.fixture(scope="module")
def folder(cwam2024_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each family a file made in this process, and the float latents (and costs and weights) that it came from."""
    folder = tmp_path_factory.mktemp("files")
    with Image.open(ROOT / "examples" / "coffee.png") as image:
        picture = image.convert("RGB").crop((180, 120, 372, 248))
    x = pad(to_tensor(as_picture(picture)))
    for family, name, quality, room, encode in (
        ("cwic", "cwic-s", LEVEL / 10, exported, encode_latents),
        ("cwic-m", "cwic-m", LEVEL / 10, exported, encode_latents),
        ("cwam2024", str(cwam2024_weights), None, cwam2024_export, encode_serial),
    ):
        (folder / f"{family}.model").write_text(name)
        (folder / f"{family}.cwic").write_bytes(cwic.encode(picture, quality=quality, model=name))
        kept = []

        def keep(prior: object, sink: object, *floats: object, encode=encode, kept=kept) -> CodedLatents:
            kept.extend(value for value in floats if isinstance(value, torch.Tensor))
            return encode(prior, sink, *floats)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, encode.__name__, keep)
            open_model(name).encode(x, LEVEL, sink=Sink())
        torch.save(kept, folder / f"{family}.pt")
    return folder


def run(folder: Path, answer: Path, environment: dict[str, str], setting: str = "") -> Outcome:
    settings = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, "-c", WORK, str(folder), str(answer), setting]
    process = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return Outcome(*json.loads(process.stdout), {family: np.load(answer / f"{family}.npy") for family in FAMILIES})


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the machine does when nobody asks for anything."""
    return run(folder, tmp_path_factory.mktemp("plain"), {})


def _needs(isa: str) -> pytest.MarkDecorator:
    """Skips where the processor lacks an instruction set: libraries trust the setting and would crash."""
    order = ["DEFAULT", "AVX2", "AVX512"]
    here = torch.backends.cpu.get_cpu_capability()
    missing = here not in order or order.index(here) < order.index(isa)
    return pytest.mark.skipif(missing, reason=f"this processor has no {isa}")


CONDITIONS = [
    pytest.param({"OMP_NUM_THREADS": "2"}, "", {"threads": 2}, id="two threads"),
    pytest.param({"ATEN_CPU_CAPABILITY": "default"}, "", {"isa": "DEFAULT"}, id="no vectors"),
    pytest.param({"ATEN_CPU_CAPABILITY": "avx2"}, "", {"isa": "AVX2"}, id="AVX2", marks=_needs("AVX2")),
    pytest.param({"ATEN_CPU_CAPABILITY": "avx512"}, "", {"isa": "AVX512"}, id="AVX-512", marks=_needs("AVX512")),
    pytest.param({"ONEDNN_MAX_CPU_ISA": "SSE41"}, "", {}, id="oneDNN with SSE4.1"),
    pytest.param({"ONEDNN_MAX_CPU_ISA": "AVX2"}, "", {}, id="oneDNN with AVX2"),
    pytest.param({}, "torch.backends.mkldnn.set_flags(False)", {"onednn": False}, id="no oneDNN"),
    pytest.param({"CWIC_INTEGER_MATMUL": "float64"}, "", {"int8": False}, id="integers in doubles"),
]


@pytest.mark.parametrize(("environment", "setting", "takes_effect"), CONDITIONS)
def test_latents_and_bytes_do_not_depend_on_the_machine(
    folder: Path,
    expected: Outcome,
    tmp_path: Path,
    environment: dict[str, str],
    setting: str,
    takes_effect: dict[str, object],
) -> None:
    outcome = run(folder, tmp_path, environment, setting)
    assert takes_effect.items() <= outcome.settings.items()
    assert outcome.decided == expected.decided
    for family in FAMILIES:
        difference = outcome.pixels[family].astype(int) - expected.pixels[family].astype(int)
        assert np.abs(difference).max() <= 1, family


@pytest.mark.parametrize("family", FAMILIES)
def test_the_processes_write_what_the_file_holds(folder: Path, expected: Outcome, family: str) -> None:
    crc, coded = unpack_tile(read_container((folder / f"{family}.cwic").read_bytes()).chunks[-1].payload)
    found = expected.decided[family]
    assert (found["crc"], found["coded"]) == (crc, sha256(coded).hexdigest())
    assert expected.pixels[family].shape == (128, 192, 3)
