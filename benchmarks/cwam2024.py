"""The published network at full size: cwic's codec beside the published procedure, on one 768x512 picture.

    python benchmarks/cwam2024.py [PICTURE]

The published procedure is float32 throughout and visits the latents one by one, each with a 5x5 crop of its own. Its
entropy coder is left out, which favours it. Weights are seeded, not trained: times hardly depend on them. Each side
runs once, after a small picture: the published one takes a minute and more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.config import Cwam2024Config
from cwic.image.arrays import to_floats
from cwic.image.folder import read_picture
from cwic.image.geometry import pad
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwam2024_export import export
from cwic.lab.serial_context import CONTEXT, SerialContext
from cwic.models.base import encode
from cwic.networks.engine import engine

T = TypeVar("T")


class Seconds(NamedTuple):
    """What something took: on the clock, and on all processors together."""

    wall: float
    cpu: float


def timed(work: Callable[[], T]) -> tuple[T, Seconds]:
    """The result of `work`, and what it took."""
    wall, cpu = perf_counter(), process_time()
    result = work()
    return result, Seconds(perf_counter() - wall, process_time() - cpu)


def network() -> Cwam2024Model:
    """Seeded weights at N = 320, with latents that come to about a bit per pixel."""
    torch.manual_seed(0)
    model = Cwam2024Model(Cwam2024Config()).eval()
    model.g_a.layers[7].get_parameter("weight").data.mul_(4)
    return model.requires_grad_(False)


def published_serial(model: Cwam2024Model, y: Tensor) -> Tensor:
    """y_hat of the published loop, which encoder and decoder share: one position at a time."""
    context = cast(SerialContext, model.context)
    masked = context.context_prediction
    hyper = model.h_s(model.entropy_bottleneck(model.h_a(y)).z_hat)
    y_hat = F.pad(torch.zeros_like(y), [CONTEXT // 2] * 4)
    for row in range(y.shape[2]):
        for column in range(y.shape[3]):
            crop = y_hat[:, :, row : row + CONTEXT, column : column + CONTEXT]
            seen = F.conv2d(crop, masked.weight * masked.mask, masked.bias)
            known = torch.cat([hyper[:, :, row : row + 1, column : column + 1], seen], dim=1)
            _, mean = context.entropy_parameters(known).chunk(2, dim=1)
            here = y[:, :, row : row + 1, column : column + 1]
            middle = row + CONTEXT // 2, column + CONTEXT // 2
            y_hat[:, :, middle[0], middle[1]] = (torch.round(here - mean) + mean)[:, :, 0, 0]
    inside = slice(CONTEXT // 2, -(CONTEXT // 2))
    return y_hat[:, :, inside, inside]


def main(picture: Path) -> None:
    """Measure and print."""
    model = network()
    ours = export(model)
    pixels = pad(to_floats(read_picture(picture)))
    height, width = pixels.shape[2:]
    x, small = torch.from_numpy(pixels), pixels[:, :, :64, :64].copy()
    ours.synthesise(encode(ours, small).y_hat)
    model.g_s(published_serial(model, model.g_a(torch.from_numpy(small))))

    our_y, our_analysis = timed(lambda: ours.prepare_analysis(pixels))
    coded, our_encode_serial = timed(lambda: ours.compress(our_y))
    our_y_hat, our_decode_serial = timed(lambda: ours.decompress(coded.data, coded.crc, height, width))
    _, our_synthesis = timed(lambda: ours.synthesise(our_y_hat))
    y, analysis = timed(lambda: model.g_a(x))
    y_hat, serial = timed(lambda: published_serial(model, y))
    _, synthesis = timed(lambda: model.g_s(y_hat))

    print(f"{picture.name}, {width}x{height} with padding, N = 320; {len(coded.data)} bytes")
    engines = f"torch {torch.__version__} and {engine().name}"
    print(f"{engines}, {torch.get_num_threads()} threads, {os.cpu_count()} cores; seconds")
    print(f"{'':<22}{'published':>20}{'cwic':>20}{'published/cwic':>24}")
    print(f"{'':<22}{'wall':>10}{'CPU':>10}{'wall':>10}{'CPU':>10}{'wall':>12}{'CPU':>12}")
    for name, theirs, mine in (
        ("analysis", (analysis,), (our_analysis,)),
        ("latents, encoding", (serial,), (our_encode_serial,)),
        ("latents, decoding", (serial,), (our_decode_serial,)),
        ("synthesis", (synthesis,), (our_synthesis,)),
        ("encode", (analysis, serial), (our_analysis, our_encode_serial)),
        ("decode", (serial, synthesis), (our_decode_serial, our_synthesis)),
    ):
        a, b = (Seconds(sum(part.wall for part in side), sum(part.cpu for part in side)) for side in (theirs, mine))
        print(
            f"{name:<22}{a.wall:>10.2f}{a.cpu:>10.2f}{b.wall:>10.2f}{b.cpu:>10.2f}"
            f"{a.wall / b.wall:>12.1f}{a.cpu / b.cpu:>12.1f}"
        )


if __name__ == "__main__":
    default = Path(os.environ.get("CWIC_DATA", "")) / "kodak" / "kodim01.png"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
