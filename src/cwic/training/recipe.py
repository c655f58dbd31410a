"""Recipes: all settings of a training run in one typed TOML file."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cwic.config import EYE, MS_SSIM, PSNR, TUNES, CwicConfig, ModelConfig
from cwic.errors import InputError
from cwic.image.fidelity import MS_SSIM_MIN_SIDE, SSIMULACRA2_MIN_SIDE
from cwic.models.registry import FAMILIES
from cwic.training.loss import formula

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTIMISERS = ("muon", "soap", "adamw")
KEPT, DROPPED, FOLDED = RESUMED = ("kept", "dropped", "folded")
_LEAST_SIDE = {MS_SSIM: MS_SSIM_MIN_SIDE, EYE: SSIMULACRA2_MIN_SIDE}


@dataclass(frozen=True)
class Recipe:
    """The settings of a run. Learning rates are peaks; the schedule scales all of them alike."""

    name: str = "cwic-s"
    family: str = "cwic"
    model: ModelConfig = field(default_factory=CwicConfig)
    tune: str = PSNR
    """The distortion: psnr, ms-ssim, or eye, which is SSIMULACRA 2 with some squared error. The loss is that of
    `cwic.training.loss.formula`.
    """
    lmbda: float = 0.0
    """The trade-off of a model of one rate; 0 for models of every rate."""
    seed: int = 1
    steps: int = 0
    """Length of the run in steps. If 0, the run takes the time budget, and the decay goes by time."""
    crop: int = 256
    """Side of the training crops, a multiple of 64."""
    downscale: float = 1.0
    """The largest factor by which crops are scaled down; factors are log-uniform from 1."""
    batch: int = 4
    """The number of crops that a process computes at once."""
    accumulate: int = 1
    """The number of batches whose gradients are averaged for one step."""
    optimiser: str = "muon"
    """The optimiser of all matrices and dense convolutions: muon, soap or adamw. The rest learns by AdamW."""
    muon_lr: float = 5e-3
    """The learning rate of all matrices and dense convolutions, if Muon has them."""
    adam_lr: float = 1e-3
    """The learning rate of vectors (biases, gains, depth-wise kernels, tables), and of matrices without Muon."""
    linear_lr: float = 2e-5
    """The learning rate of the orthonormal maps of the transforms, and of the convolutions before attention's gates."""
    warmup_steps: int = 100
    decay_share: float = 0.2
    """The share of the run, at its end, over which the rates fall linearly to zero."""
    average_decay: float = 0.999
    """The decay of the exponential moving average of the weights."""
    rate_balance: float = 0.4
    """Each picture's loss is divided by `lmbda ** rate_balance`, so that high rates do not own the gradient."""
    clip_norm: float = 10.0
    hard_rounding: bool = False
    """Fine-tune: the rate is that of rounded symbols, and only the networks that the decoder runs learn."""
    resumed_attention: str = KEPT
    """The treatment of the attention of a checkpoint that a new run starts from. `kept` keeps it, like all weights;
    `dropped` leaves it out; `folded` moves its best linear maps into the Haar maps. If it is dropped or folded, the
    attention that the recipe has starts anew.
    """

    def __post_init__(self) -> None:
        if self.crop % 64 or self.crop < 64:
            raise InputError(f"crop must be a multiple of 64, not {self.crop}")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"unknown optimiser {self.optimiser!r}; there are: {', '.join(OPTIMISERS)}")
        if self.resumed_attention not in RESUMED:
            raise InputError(f"resumed_attention is one of {', '.join(RESUMED)}, not {self.resumed_attention!r}")
        if self.tune not in TUNES:
            raise InputError(f"unknown tune {self.tune!r}; there are: {', '.join(TUNES)}")
        if self.crop < self.least_side:
            raise InputError(f"crop must be at least {self.least_side} for {self.tune}, not {self.crop}")
        if self.downscale < 1:
            raise InputError(f"downscale must be at least 1, not {self.downscale}")
        one_rate = not FAMILIES[self.family].config.variable_rate
        if one_rate and (self.lmbda <= 0 or self.hard_rounding):
            raise InputError(f"a model of family {self.family} needs a lmbda above 0, and has no hard_rounding")
        if one_rate and self.resumed_attention != KEPT:
            raise InputError(f"a model of family {self.family} keeps its attention: leave resumed_attention out")
        if not one_rate and self.lmbda:
            raise InputError(f"a model of family {self.family} learns every rate: leave lmbda out")

    @property
    def loss(self) -> str:
        """The formula of the loss, as text."""
        return formula(self.tune)

    @property
    def least_side(self) -> int:
        """The smallest side of pictures that `tune` can compare, in pixels."""
        return _LEAST_SIDE.get(self.tune, 1)

    def tuned(self, tune: str) -> Recipe:
        """Return the same recipe for another `tune`, with the tune added to its name."""
        return self if tune == self.tune else replace(self, tune=tune, name=f"{self.name}-{tune}")


_ACCEPTED = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "Attention": (str,),
    "AttentionForm": (str,),
    "Context": (str,),
}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises `InputError` for an unreadable file, an unknown key or an invalid value."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the recipe {path}: {error}") from error
    model = table.pop("model", {})
    if not isinstance(model, dict):
        raise InputError(f"model in the recipe must be a table, not {model!r}")
    kind = FAMILIES[_family(table)].config
    try:
        config = kind(**_checked(kind, model, "model."))
    except ValueError as error:
        raise InputError(f"the recipe's model cannot be built: {error}") from error
    return Recipe(model=config, **_checked(Recipe, table, ""))


def _family(table: dict[str, Any]) -> str:
    family = table.get("family", Recipe.family)
    if family not in FAMILIES:
        raise InputError(f"unknown family {family!r} in the recipe; there are: {', '.join(FAMILIES)}")
    return str(family)


def _checked(kind: type, table: dict[str, Any], prefix: str) -> dict[str, Any]:
    known = {f.name: f.type for f in fields(kind) if f.name != "model"}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise InputError(f"unknown key {prefix}{key} in the recipe{hint}")
        if type(value) not in _ACCEPTED[str(known[key])]:
            raise InputError(f"{prefix}{key} in the recipe must be of type {known[key]}, not {value!r}")
    return table
