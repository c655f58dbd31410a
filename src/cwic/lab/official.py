"""Read checkpoints of the published network, as the training script of its authors writes them: data, never code."""

from __future__ import annotations

import pickle
import re
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from cwic.config import Cwam2024Config
from cwic.errors import ModelError
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.serial_context import SerialContext

PUBLISHED_NAMES = {
    "g_a.feature_encoding.": "enh.forw_enh.",
    "g_a.layers.": "cnn.g_a.",
    "g_a.attention.": "attention.forw_att.",
    "g_s.attention.": "attention.back_att.",
    "g_s.layers.": "cnn.g_s.",
    "g_s.feature_encoding.": "enh.back_enh.",
    "h_a.": "h_a.",
    "h_s.": "h_s.",
    "context.": "",
    "entropy_bottleneck.matrices.": "entropy_bottleneck._matrix",
    "entropy_bottleneck.biases.": "entropy_bottleneck._bias",
    "entropy_bottleneck.factors.": "entropy_bottleneck._factor",
    "entropy_bottleneck.": "entropy_bottleneck.",
}
"""The beginnings of our names, and the published ones for them; the first that fits counts."""

UNUSED = re.compile(
    r"enh1\."  # a module that nothing calls
    r"|gaussian_conditional\."  # tables and bounds, computed from constants
    r"|entropy_bottleneck\.(_offset|_quantized_cdf|_cdf_length|target|likelihood_lower_bound\.)"
    r"|context_prediction\.mask$"
    r"|.*\.(relative_position_index|(beta|gamma)_reparam\.(pedestal|lower_bound\.bound))$"
)
"""Published entries that are not read, because nothing uses them or they are computed anew."""


def published_name(name: str) -> str:
    """Return the published name of a parameter of `Cwam2024Model`."""
    ours = next(beginning for beginning in PUBLISHED_NAMES if name.startswith(beginning))
    return re.sub(r"\.conv_b\.0\.(?!conv\.)", ".conv_b.0.attn.", PUBLISHED_NAMES[ours] + name.removeprefix(ours))


def load_official(path: str | PathLike[str]) -> Cwam2024Model:
    """Load the published network with the weights of a checkpoint, in evaluation mode.

    N is read from the weights. Names that begin with `module.`, from training on several GPUs, are accepted. The hidden
    taps of the context, which training leaves at any value, are set to zero.

    Args:
        path: a training checkpoint (`{"state_dict": ...}`) or a state dict alone, of any float precision.

    Raises:
        ModelError: the file is no such checkpoint; the message is one sentence.
    """
    path = Path(path)
    state = _state_dict(path)
    N = _width(path, state)
    with torch.device("meta"):
        expected = {published_name(name): p for name, p in Cwam2024Model(Cwam2024Config(N)).named_parameters()}
    _check(path, state, expected)
    model = Cwam2024Model(Cwam2024Config(N))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state[published_name(name)])
        context = cast(SerialContext, model.context).context_prediction
        context.weight.mul_(context.mask)
    return model.eval()


def _state_dict(path: Path) -> dict[str, Any]:
    """Return the entries of a checkpoint by their published names, not checked yet. Raises `ModelError`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"the checkpoint {path} is missing") from None
    except Exception as error:  # torch raises nearly any error on a damaged file
        raise ModelError(_why_unreadable(path, error)) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict):
        raise ModelError(f"{path} is no checkpoint of the published network: it holds a {type(state).__name__}")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def _why_unreadable(path: Path, error: Exception) -> str:
    if path.is_dir():
        return f"{path} is a folder, not a checkpoint"
    try:
        start = path.open("rb").read(2)
    except OSError:
        return f"cannot read the checkpoint {path}: {error}"
    whole = zipfile.is_zipfile(path)
    if isinstance(error, pickle.UnpicklingError) and (whole or start[:1] == b"\x80"):
        kind = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"a pickled object ({kind[1]})" if kind else "pickled objects"
        return f"{path} holds {what} beside tensors, and unpickling could run any code: save its state_dict alone"
    if not start or start in (b"P", b"PK", b"\x80\x02"):
        return f"the checkpoint {path} is damaged or cut short"
    return f"{path} is not a checkpoint that torch wrote"


def _width(path: Path, state: dict[str, Any]) -> int:
    first = state.get("h_a.0.weight")
    if not isinstance(first, Tensor):
        raise ModelError(f"{path} is no checkpoint of the published network: h_a.0.weight is missing")
    N = first.shape[0] if first.dim() == 4 else 0
    if N < 8 or N % 8:
        raise ModelError(f"h_a.0.weight of {path} is {list(first.shape)}, not [N, N, 3, 3] with N a multiple of 8")
    return N


def _check(path: Path, state: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise `ModelError` unless `state` has every tensor of `expected`, in its shape, and nothing unknown."""
    prefix = f"{path} is no checkpoint of the published network"
    missing = [name for name in expected if name not in state]
    unknown = [name for name in state if name not in expected and not UNUSED.match(name)]
    for names, what in ((missing, "missing"), (unknown, "unknown to it")):
        if names:
            others = f" and {len(names) - 1} more are" if len(names) > 1 else " is"
            raise ModelError(f"{prefix}: {names[0]}{others} {what}")
    for name, parameter in expected.items():
        tensor = state[name]
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.layout != torch.strided:
            raise ModelError(f"{prefix}: {name} is not a plain tensor of floats")
        if tensor.shape != parameter.shape:
            raise ModelError(f"{prefix}: {name} is {list(tensor.shape)}, not {list(parameter.shape)}")
    # A view can repeat a few stored numbers without end, so memory is limited to what the file really holds.
    if sum(state[name].nbytes for name in expected) > path.stat().st_size:
        raise ModelError(f"{prefix}: its tensors are larger than the file")
