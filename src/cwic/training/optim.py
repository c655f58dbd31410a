"""The optimisers: Muon or another for matrices, AdamW for the rest, and a far slower AdamW for two kinds of weights.

The orthonormal maps learn slowly: at full speed, those of the encoder and the decoder drift apart in the first minutes.
So do the convolutions that feed the gates of the attention: at full speed, the gates saturate early and then receive
no gradient. At 50 to 250 times lower rates both improve all the way. See docs/experiments.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cwic.errors import InputError
from cwic.extras import require
from cwic.lab.bottleneck import EntropyBottleneck
from cwic.lab.fixed_point import Depthwise, PhasePointwise
from cwic.lab.transforms import LinearMap
from cwic.nn.residual_attention import ResidualAttention
from cwic.training.muon import Muon
from cwic.training.recipe import Recipe

QUANTILE_LR = 1e-3
"""The learning rate of the quantiles of an entropy bottleneck, with a plain Adam, as its authors have it."""


class Matrix(NamedTuple):
    """A two-dimensional view of a parameter, or of its `part` of that index, for Muon to work on."""

    parameter: nn.Parameter
    part: int | None
    view: nn.Parameter


class Sorted(NamedTuple):
    """The parameters that learn, grouped by optimiser. `quantiles` learn from the auxiliary loss alone."""

    matrices: list[Matrix]
    vectors: list[nn.Parameter]
    slow: list[nn.Parameter]
    quantiles: list[nn.Parameter]


class Optimisers:
    """All optimisers of a model behind one `step`, one `scale_rates` and one state.

    Attributes:
        parameters: the parameters that learn from the loss: all but the quantiles.
        quantiles: the parameters that learn from the auxiliary loss.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self._matrices, vectors, slow, self.quantiles = sort_parameters(model)
        self.parameters = [*dict.fromkeys(matrix.parameter for matrix in self._matrices), *vectors, *slow]
        views = [matrix.view for matrix in self._matrices]
        # One kernel for all parameters where the device has one.
        adam: dict[str, Any] = {"betas": (0.9, 0.99), "weight_decay": 0.0, "fused": self.parameters[0].is_cuda}
        self._optimisers: list[torch.optim.Optimizer] = []
        if views:
            self._optimisers.append(_of_matrices(views, recipe, adam))
        if vectors:
            self._optimisers.append(torch.optim.AdamW(vectors, lr=recipe.adam_lr, **adam))
        if slow:
            self._optimisers.append(torch.optim.AdamW(slow, lr=recipe.linear_lr, **adam))
        self._scaled = list(self._optimisers)
        if self.quantiles:
            self._optimisers.append(torch.optim.Adam(self.quantiles, lr=QUANTILE_LR))
        self._peaks = [group["lr"] for optimiser in self._scaled for group in optimiser.param_groups]

    def scale_rates(self, factor: float) -> None:
        """Set every learning rate to `factor` times its peak, except that of the quantiles, which is constant."""
        groups = [group for optimiser in self._scaled for group in optimiser.param_groups]
        for group, peak in zip(groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def limit(self, norm: float) -> Tensor:
        """Scale the gradients of `parameters` to a norm of at most `norm`, and return whether they were finite.

        Gradients that are not finite become zero, without waiting for the device: such a step teaches nothing.
        """
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        total = nn.utils.get_total_norm(gradients)
        finite = total.isfinite()
        torch._foreach_mul_(gradients, (norm / (total + 1e-6)).clamp_max(1))
        # Zero times NaN is NaN, but zero times its bits is zero. This takes a few kernels, not one for each gradient.
        torch._foreach_mul_([gradient.view(torch.int32) for gradient in gradients], finite.int())
        return finite

    def step(self) -> None:
        """Do one step from the gradients of the model's parameters, and clear them."""
        for parameter, part, view in self._matrices:
            gradient = parameter.grad if part is None or parameter.grad is None else parameter.grad[part]
            view.grad = None if gradient is None else _rows(gradient, parameter)
        for optimiser in self._optimisers:
            optimiser.step()
        self.clear()

    def clear(self) -> None:
        """Clear all gradients."""
        for parameter in [*self.parameters, *self.quantiles]:
            parameter.grad = None

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the states of the optimisers, for `load_state_dict` on the same model."""
        return [{"kind": type(optimiser).__name__, **optimiser.state_dict()} for optimiser in self._optimisers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Load the states that `state_dict` returned. Raises `InputError` if they are of other optimisers."""
        kinds = [type(optimiser).__name__ for optimiser in self._optimisers]
        found = [state.get("kind", kind) for state, kind in zip(states, kinds, strict=False)]
        if len(states) != len(kinds) or found != kinds:
            raise InputError(f"the checkpoint's optimisers are not the recipe's, which are {', '.join(kinds)}")
        for optimiser, state in zip(self._optimisers, states, strict=True):
            try:
                optimiser.load_state_dict(state)
            except ValueError as error:
                raise InputError(f"the checkpoint's optimisers learnt other parameters: {error}") from error


def _of_matrices(views: list[nn.Parameter], recipe: Recipe, adam: dict[str, Any]) -> torch.optim.Optimizer:
    if recipe.optimiser == "muon":
        return Muon(views, lr=recipe.muon_lr, weight_decay=0.0)
    if recipe.optimiser == "soap":
        soap: type[torch.optim.Optimizer] = require("pytorch_optimizer", "train").SOAP
        return soap(views, lr=recipe.adam_lr, weight_decay=0.0)  # type: ignore[call-arg]
    return torch.optim.AdamW(views, lr=recipe.adam_lr, **adam)


def sort_parameters(model: nn.Module) -> Sorted:
    """Return the parameters of `model` that learn, grouped by optimiser, each once."""
    found = Sorted([], [], [], [])
    gates = {module.gate for module in model.modules() if isinstance(module, ResidualAttention)}
    for owner in model.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            values = parameter.detach()
            if not parameter.requires_grad:
                continue
            if isinstance(owner, LinearMap) or owner in gates:
                found.slow.append(parameter)
            elif isinstance(owner, EntropyBottleneck):
                found.quantiles.append(parameter)
            elif name != "weight" or isinstance(owner, Depthwise) or getattr(owner, "groups", 1) > 1:
                found.vectors.append(parameter)
            elif isinstance(owner, PhasePointwise):
                found.matrices.extend(Matrix(parameter, i, nn.Parameter(part)) for i, part in enumerate(values))
            else:
                found.matrices.append(Matrix(parameter, None, nn.Parameter(_rows(values, values))))
    return found


def _rows(tensor: Tensor, weight: Tensor) -> Tensor:
    """Return a `weight`, or its gradient, as a matrix with a row for each first index: a view, if the weight is dense.

    The columns of a channels-last weight come in another order, which makes no difference to the optimisers here.
    """
    if weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(len(tensor), -1)
