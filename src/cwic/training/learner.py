"""The learner of a run: a model, its average and its optimisers, one step of them, and their state on disk."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from cwic.config import MS_SSIM
from cwic.errors import InputError
from cwic.nn.compiled import compiled_blocks
from cwic.training.checkpoint import load_checkpoint, load_into, save_checkpoint
from cwic.training.data import Pictures
from cwic.training.divergence import PATIENCE
from cwic.training.family import FAMILIES
from cwic.training.graph import PassGraph, Taught
from cwic.training.journal import Metrics
from cwic.training.loss import RateDistortion, rate_distortion
from cwic.training.optim import Optimisers
from cwic.training.recipe import KEPT, Recipe
from cwic.training.schedule import rate_factor


@dataclass
class Progress:
    """The progress of a run."""

    step: int = 0
    elapsed: float = 0.0
    """Seconds of training so far, including those before an interruption."""
    kept: bool = False
    """True once the undecayed state is written."""
    fresh: bool = True
    """True if the run began with an untrained model: its average must soon forget the start."""


class Learner:
    """The state of a run. All random numbers follow from the recipe's seed, and the state includes the generators."""

    def __init__(self, fabric: Fabric, recipe: Recipe, pictures: Pictures) -> None:
        fabric.seed_everything(recipe.seed + fabric.global_rank, verbose=False)
        self._random = np.random.default_rng((recipe.seed, fabric.global_rank))
        self._fabric, self._recipe, self._pictures = fabric, recipe, pictures
        self._family = FAMILIES[recipe.family]
        self._model = self._family.build(recipe).to(fabric.device)
        if fabric.device.type == "cuda":
            _channels_last(self._model)
        self.average = copy.deepcopy(self._model).eval()
        # Listed once, so that the host need not walk through all modules in every step.
        self._followed: list[list[Tensor]] = [list(each.parameters()) for each in (self.average, self._model)]
        if fabric.device.type == "cuda":
            for part in self._family.compiled_parts(self._model):
                part.compile(dynamic=False)
        if recipe.hard_rounding:
            self._family.decoder_only(self._model)
        self._optimisers = Optimisers(self._model, recipe)
        self.progress = Progress()
        self._sums: list[Tensor] = []
        self._skipped = torch.zeros((), dtype=torch.int64, device=fabric.device)
        self._in_a_row = torch.zeros_like(self._skipped)
        # A graph can contain neither the exchange of gradients between processes nor MS-SSIM's copy of its window.
        self._captures = fabric.device.type == "cuda" and fabric.world_size == 1 and recipe.tune != MS_SSIM
        self._graph: PassGraph | None = None

    def start(self, checkpoint: Path | None, whole: bool = False) -> None:
        """Set the first weights.

        Args:
            checkpoint: the file to take weights from; None for an untrained model.
            whole: take the whole state of the file, including progress, optimisers and random numbers.

        Raises:
            InputError: the weights are not of the recipe's model.
        """
        if checkpoint is None:
            self._family.start(self._model, self._calibration())
            self.average.load_state_dict(self._model.state_dict())
        elif whole:
            self._continue(checkpoint)
        else:
            self._start_from(checkpoint)
        # The quantiles learn from weights that are equal in all processes, so their gradients need no exchange.
        quantiles = self._optimisers.quantiles
        for parameter in quantiles:
            parameter.requires_grad_(False)
        self._forward = self._fabric.setup_module(self._model, move_to_device=False)
        for parameter in quantiles:
            parameter.requires_grad_(True)

    def step(self, done: float) -> None:
        """Do one training step, when the share `done` of the run, in [0, 1], is over."""
        recipe, progress = self._recipe, self.progress
        self._optimisers.scale_rates(rate_factor(progress.step, done, recipe.warmup_steps, recipe.decay_share))
        batches = [self._crops() for _ in range(recipe.accumulate)]
        taught = self.gradients(batches)
        self._sums.append(taught.means)
        self._skipped += ~taught.finite
        self._in_a_row = (self._in_a_row + 1) * ~taught.finite
        self._optimisers.step()
        ramp = (progress.step + 1) / (progress.step + 10) if progress.fresh else 1.0
        self._follow(min(recipe.average_decay, ramp))
        progress.step += 1

    def gradients(self, batches: Sequence[Tensor]) -> Taught:
        """Compute the gradients of a step from its `batches`; a single process on a GPU does it as a graph."""
        if not self._captures:
            return self._passes(batches)
        if self._graph is None:
            learning = [*self._optimisers.parameters, *self._optimisers.quantiles]
            self._graph = PassGraph(self._passes, batches, learning)
        return self._graph(batches)

    def _passes(self, batches: Sequence[Tensor]) -> Taught:
        """Compute the gradients of a step and limit their norm."""
        means = []
        for part, x in enumerate(batches):
            cost = self.backpropagate(x, last=part + 1 == len(batches))
            means.append(torch.stack([cost.loss, cost.cost.mean(), cost.bpp.mean(), cost.mse.mean()]).detach())
        aux = self._family.auxiliary_loss(self._model)
        if aux is not None:
            aux.backward()
        return Taught(torch.stack(means), self._optimisers.limit(self._recipe.clip_norm))

    def backpropagate(self, x: Tensor, last: bool = True) -> RateDistortion:
        """Add the gradients of a batch at random levels.

        Args:
            x: the batch, `[B, 3, H, W]`.
            last: this is the last batch of the step, so that processes exchange their gradients.
        """
        recipe = self._recipe
        with self._fabric.no_backward_sync(self._forward, enabled=not last):
            level = self._family.draw(len(x), x.device)
            with compiled_blocks(x.is_cuda):
                output = self._forward(*self._family.arguments(x, level))
            lmbda = self._family.lmbda(recipe, level)
            cost = rate_distortion(output, x, lmbda, recipe.rate_balance, recipe.tune)
            self._fabric.backward(cost.loss / recipe.accumulate)
        return cost

    def metrics(self) -> Metrics | None:
        """Return the means over the steps since the last call; None if there were none."""
        if not self._sums:
            return None
        loss, J, bpp, mse = torch.cat(self._sums).mean(dim=0).tolist()
        self._sums.clear()
        return Metrics(loss, J, bpp, mse, int(self._skipped))

    def has_diverged(self, ended: bool = False) -> bool:
        """Return whether the run has diverged. This waits for the device, and all processes have to call it.

        Args:
            ended: the run is over. Then fewer steps in a row without finite gradients suffice: half of a short run.
        """
        patience = min(PATIENCE, max(2, self.progress.step // 2)) if ended else PATIENCE
        weights = nn.utils.get_total_norm(self._optimisers.parameters)
        lost = (self._in_a_row >= patience) | ~weights.isfinite()
        return bool(self._fabric.all_reduce(lost.float(), reduce_op="max"))

    def save(self, path: Path) -> None:
        """Write the state to a file; all processes have to call it."""
        here = {"numpy": self._random.bit_generator.state, "torch": torch.get_rng_state(), **_cuda_rng()}
        random = self._gather(here)
        if self._fabric.is_global_zero:
            extra = {
                "optimisers": self._optimisers.state_dict(),
                "progress": asdict(self.progress),
                "skipped": int(self._skipped),
                "random": random,
            }
            save_checkpoint(path, self._model, self.average, extra)

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        """Move the average towards the model: `decay` is the share that it keeps."""
        average, model = self._followed
        torch._foreach_lerp_(average, model, 1 - decay)

    def _calibration(self) -> list[Tensor]:
        return [self._crops() for _ in range(self._family.calibration_batches)]

    def _crops(self) -> Tensor:
        recipe = self._recipe
        return self._pictures.crops(recipe.batch, recipe.crop, self._random, recipe.downscale).to(self._fabric.device)

    def _start_from(self, checkpoint: Path) -> None:
        state = load_checkpoint(checkpoint)
        if self._recipe.resumed_attention != KEPT:
            change = self._family.other_attention(self._model, state, self._recipe, self._calibration)
            print(f"{checkpoint}: {change.told}; the optimisers start anew", file=sys.stderr)
            state = {"model": change.model, "average": change.average}
        load_into(self.average, state["average"], checkpoint)
        # A fine-tune keeps g_a frozen as it starts, so it starts from the average, with new optimisers.
        load_into(self._model, state["average" if self._recipe.hard_rounding else "model"], checkpoint)
        if "optimisers" in state and not self._recipe.hard_rounding:
            try:
                self._optimisers.load_state_dict(state["optimisers"])
            except InputError as error:
                print(f"{checkpoint}: {error}: the optimisers start anew", file=sys.stderr)
                self._optimisers = Optimisers(self._model, self._recipe)
        self.progress.fresh = False

    def _continue(self, checkpoint: Path) -> None:
        state = load_checkpoint(checkpoint)
        load_into(self.average, state["average"], checkpoint)
        load_into(self._model, state["model"], checkpoint)
        if "random" not in state or len(state["random"]) != self._fabric.world_size:
            raise InputError(f"{checkpoint} is not the state of a run of {self._fabric.world_size} processes")
        self._optimisers.load_state_dict(state["optimisers"])
        self.progress = Progress(**state["progress"])
        self._skipped += state["skipped"]
        random = state["random"][self._fabric.global_rank]
        self._random.bit_generator.state = random["numpy"]
        torch.set_rng_state(random["torch"])
        if "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])

    def _gather(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the `state` of every process."""
        if self._fabric.world_size == 1:
            return [state]
        states: list[dict[str, Any]] = [{} for _ in range(self._fabric.world_size)]
        torch.distributed.all_gather_object(states, state)
        return states


def _channels_last(model: nn.Module) -> None:
    """Lay out the weights of dense convolutions in memory as the feature maps are: channels last."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _cuda_rng() -> dict[str, Tensor]:
    return {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_initialized() else {}
