"""The families of models, as training sees them. The loop knows no family by name; each is an object here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from cwic.config import EYE, MS_SSIM, PSNR, CwicConfig
from cwic.errors import InputError
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwic import CwicModel
from cwic.lab.networks import network_of
from cwic.lab.prior import lmbda_of
from cwic.lab.without_attention import folded, gated_config, is_attention, linear_parts, without_attention
from cwic.latents.levels import MAX_LEVEL
from cwic.training.recipe import FOLDED, Recipe

if TYPE_CHECKING:
    from cwic.models.base import CodingModel

MS_SSIM_LMBDA = 1250.0
"""lmbda for MS-SSIM over lmbda for PSNR at the same quality: about the same bits for the same picture.

The pairs that are usual in the field (Begaint et al., "CompressAI", 2020) have ratios from 1222 to 1333.
"""
EYE_LMBDA = 1.0
"""lmbda of the loss for the eye over lmbda for PSNR at the same quality: about the same bits for the same picture."""
_LMBDA_SCALE = {PSNR: 1.0, MS_SSIM: MS_SSIM_LMBDA, EYE: EYE_LMBDA}
VALIDATED_LEVELS = (200, 400, 600, 800)


class Point(NamedTuple):
    """A trade-off of rate and distortion at which a model is validated; `level` as in `Family.arguments`."""

    label: str
    level: int


class Change(NamedTuple):
    """The weights of a state and their average after a change, and a description of the change in words."""

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    told: str


class Family(ABC):
    """A family of models, as the loop sees it. `level` `[B]` are integers 0..1000; models of one rate ignore them."""

    def build(self, recipe: Recipe) -> nn.Module:
        """Return the untrained model. Called with `arguments`, it returns a `cwic.lab.cwic.ModelOutput`."""
        return network_of(recipe.model)

    @abstractmethod
    def arguments(self, x: Tensor, level: Tensor) -> tuple[Tensor, ...]:
        """Return the arguments of the model for `x` `[B, 3, H, W]` in [0, 1] at `level` `[B]`."""

    @abstractmethod
    def lmbda(self, recipe: Recipe, level: Tensor) -> Tensor:
        """Return the `lmbda` `[B]` of the recipe's loss at `level`."""

    @abstractmethod
    def points(self, recipe: Recipe) -> tuple[Point, ...]:
        """Return the points at which the model is validated."""

    calibration_batches = 0
    """The number of batches that `start` takes."""

    def draw(self, count: int, device: torch.device) -> Tensor:
        """Return random levels `[count]` for a batch, drawn on `device`."""
        return torch.zeros(count, dtype=torch.int64, device=device)

    def compiled_parts(self, model: nn.Module) -> list[nn.Module]:
        """Return the parts of `model` that a GPU runs compiled as a whole, beside the blocks that it repeats."""
        return []

    def start(self, model: nn.Module, batches: list[Tensor]) -> None:  # noqa: B027 (most have nothing to do)
        """Set the constants of an untrained model that are measured on pictures, `[B, 3, H, W]` each."""

    def other_attention(
        self, model: nn.Module, state: dict[str, Any], recipe: Recipe, draw: Callable[[], list[Tensor]]
    ) -> Change:
        """Change the attention of a `state` as the recipe's `resumed_attention` says, so that it fits `model`.

        Args:
            model: the model of the recipe; its own attention stays as it is.
            state: the state, from `load_checkpoint`.
            recipe: the recipe, which asks for another attention than that of the state.
            draw: gives batches `[B, 3, H, W]` for the measurements that the change needs.

        Raises:
            InputError: this state cannot be changed so.
        """
        raise InputError("this family of models keeps its attention")

    def auxiliary_loss(self, model: nn.Module) -> Tensor | None:
        """Return the loss, a scalar, of parameters that learn nothing from the main loss; None if there are none."""
        return None

    def decoder_only(self, model: nn.Module) -> None:
        """Prepare a fine-tune, on rounded symbols, of the networks that the decoder runs.

        Raises:
            InputError: the family has no such fine-tune.
        """
        raise InputError("this family of models has no fine-tune on rounded symbols")

    @abstractmethod
    def export(self, model: nn.Module) -> CodingModel:
        """Return the trained `model` as the codec runs it. Raises `ModelError`."""

    def fit(self, model: CodingModel, crops: list[Tensor]) -> CodingModel:
        """Return the exported `model` with what is fitted to `crops` `[1, 3, H, W]`, if anything is."""
        return model


class Cwic(Family):
    """The family of `CwicModel`: one model codes every rate, with a level for each picture."""

    calibration_batches = 16

    def arguments(self, x: Tensor, level: Tensor) -> tuple[Tensor, ...]:
        return x, level

    def lmbda(self, recipe: Recipe, level: Tensor) -> Tensor:
        return lmbda_of(level) * _LMBDA_SCALE[recipe.tune]

    def points(self, recipe: Recipe) -> tuple[Point, ...]:
        return tuple(Point(f"q{level / 10:g}", level) for level in VALIDATED_LEVELS)

    def draw(self, count: int, device: torch.device) -> Tensor:
        return torch.randint(0, MAX_LEVEL + 1, (count,), device=device)

    def compiled_parts(self, model: nn.Module) -> list[nn.Module]:
        # These have nearly all of the small kernels. The trunks are blocks, which take no such time to compile.
        assert isinstance(model, CwicModel)
        return [model.prior, model.g_a.feature_encoding]

    def start(self, model: nn.Module, batches: list[Tensor]) -> None:
        assert isinstance(model, CwicModel)
        model.calibrate(batches)

    def other_attention(
        self, model: nn.Module, state: dict[str, Any], recipe: Recipe, draw: Callable[[], list[Tensor]]
    ) -> Change:
        assert isinstance(recipe.model, CwicConfig)
        both = [dict(state[name]) for name in ("model", "average")]
        fresh = {name: tensor for name, tensor in model.state_dict().items() if is_attention(name)}
        told = f"its attention is {recipe.resumed_attention}"
        if recipe.resumed_attention == FOLDED:
            try:
                old = CwicModel(gated_config(recipe.model, both[1]))
                old.load_state_dict(both[1])
            except (ValueError, RuntimeError) as error:
                raise InputError(f"the state's attention cannot be folded: {str(error).splitlines()[0]}") from None
            device = next(model.parameters()).device
            parts = linear_parts(old.to(device), draw())
            both = [folded({name: t.to(device) for name, t in weights.items()}, parts) for weights in both]
            missed = ", ".join(f"{100 * part.missed:.0f} % of that in {name}" for name, part in parts.items())
            told += f" into the Haar maps, which miss {missed}"
        elif not any(map(is_attention, both[1])):
            told = "it has no attention to drop"
        if fresh:
            told += f"; {recipe.model.attention} attention of the {recipe.model.attention_form} form starts anew"
        weights, average = (without_attention(each) | fresh for each in both)
        return Change(weights, average, told)

    def decoder_only(self, model: nn.Module) -> None:
        # The networks of the encoder alone, and the gains, are frozen: rounded symbols give them no honest gradient.
        assert isinstance(model, CwicModel)
        model.prior.hard_rounding = True
        frozen = [model.g_a, model.prior.h_a, model.prior.exact.log2_gain]
        for module in frozen:
            module.requires_grad_(False)

    def export(self, model: nn.Module) -> CodingModel:
        from cwic.lab.cwic_export import export

        assert isinstance(model, CwicModel)
        return export(model)

    def fit(self, model: CodingModel, crops: list[Tensor]) -> CodingModel:
        from cwic.lab.cwic_export import fit
        from cwic.models.cwic import CwicModel as Exported

        assert isinstance(model, Exported)
        return fit(model, [crop.cpu().contiguous().numpy() for crop in crops])


class Cwam2024(Family):
    """The family of `Cwam2024Model`, the published network and its ablations: each model has one rate."""

    def arguments(self, x: Tensor, level: Tensor) -> tuple[Tensor, ...]:
        return (x,)

    def lmbda(self, recipe: Recipe, level: Tensor) -> Tensor:
        return torch.full(level.shape, recipe.lmbda, device=level.device)

    def points(self, recipe: Recipe) -> tuple[Point, ...]:
        return (Point(f"lmbda {recipe.lmbda:g}", 0),)

    def auxiliary_loss(self, model: nn.Module) -> Tensor | None:
        assert isinstance(model, Cwam2024Model)
        return model.aux_loss()

    def export(self, model: nn.Module) -> CodingModel:
        from cwic.lab.cwam2024_export import export

        assert isinstance(model, Cwam2024Model)
        return export(model)


FAMILIES: dict[str, Family] = {"cwic": Cwic(), "cwam2024": Cwam2024()}
"""The families by their names in recipes."""
