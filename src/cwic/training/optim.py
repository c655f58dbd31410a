"""The optimisers: Muon for matrices, AdamW for the rest, and a far slower AdamW for the orthonormal maps.

At full speed the orthonormal maps break in the first minutes (the picture they carry drifts away from the
decoder's); 50 to 250 times slower they improve all the way. See docs/training.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from cwic.latents.fixed_point import Depthwise, PhasePointwise
from cwic.training.recipe import Recipe
from cwic.transforms.analysis import LinearMap


class Matrix(NamedTuple):
    """A two-dimensional view of a parameter, or of one of its `part`s, that Muon can work on."""

    parameter: nn.Parameter
    part: int | None
    view: nn.Parameter


class Optimisers:
    """All optimisers of a model behind one `step`, one `scale_rates` and one state."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self._matrices, vectors, maps = _sort_parameters(model)
        self.parameters = [*dict.fromkeys(matrix.parameter for matrix in self._matrices), *vectors, *maps]
        betas = (0.9, 0.99)
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon([matrix.view for matrix in self._matrices], lr=recipe.muon_lr, weight_decay=0.0),
            torch.optim.AdamW(vectors, lr=recipe.adam_lr, betas=betas, weight_decay=0.0),
            torch.optim.AdamW(maps, lr=recipe.linear_lr, betas=betas, weight_decay=0.0),
        ]
        self._peaks = [group["lr"] for optimiser in self._optimisers for group in optimiser.param_groups]

    def scale_rates(self, factor: float) -> None:
        """Sets every learning rate to `factor` times its peak."""
        groups = [group for optimiser in self._optimisers for group in optimiser.param_groups]
        for group, peak in zip(groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def step(self) -> None:
        """One step from the gradients of the model's parameters, which it clears."""
        for parameter, part, view in self._matrices:
            gradient = parameter.grad if part is None or parameter.grad is None else parameter.grad[part]
            view.grad = None if gradient is None else gradient.reshape(view.shape)
        for optimiser in self._optimisers:
            optimiser.step()
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> list[dict[str, Any]]:
        """The optimisers' states, for `load_state_dict` on the same model."""
        return [optimiser.state_dict() for optimiser in self._optimisers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Takes the states that `state_dict` gave."""
        for optimiser, state in zip(self._optimisers, states, strict=True):
            optimiser.load_state_dict(state)


def _sort_parameters(model: nn.Module) -> tuple[list[Matrix], list[nn.Parameter], list[nn.Parameter]]:
    """Matrices, then vectors, then orthonormal maps, of the parameters that learn."""
    matrices: list[Matrix] = []
    vectors, maps = [], []
    for owner in model.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            values = parameter.detach()
            if not parameter.requires_grad:
                continue
            if isinstance(owner, LinearMap):
                maps.append(parameter)
            elif name != "weight" or isinstance(owner, Depthwise) or getattr(owner, "groups", 1) > 1:
                vectors.append(parameter)
            elif isinstance(owner, PhasePointwise):
                matrices += [Matrix(parameter, i, nn.Parameter(part)) for i, part in enumerate(values)]
            else:
                matrices.append(Matrix(parameter, None, nn.Parameter(values.view(len(values), -1))))
    return matrices, vectors, maps
