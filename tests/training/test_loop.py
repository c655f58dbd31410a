from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from cwic.errors import InputError, OutputExistsError
from cwic.lab.cwic import CwicModel
from cwic.training import learner, loop
from cwic.training.checkpoint import load_checkpoint
from cwic.training.divergence import DivergedError
from cwic.training.recipe import Recipe


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that runs a second a step, and a line of the log each step: a budget is a number of steps."""
    seconds = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    monkeypatch.setattr(loop, "REPORT_EVERY", 1)


def weights(state: dict, key: str = "model") -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in state[key].items() if tensor.is_floating_point()}


def test_a_run_learns_reports_and_leaves_its_checkpoints(
    recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    final, finished = loop.train(recipe, folder, tmp_path / "run", 6, accelerator="cpu")
    out, err = capsys.readouterr()
    assert final == tmp_path / "run" / "final.ckpt"
    assert finished
    written = {p.name for p in final.parent.iterdir()} - {"tensorboard"}
    assert written == {"final.ckpt", "metrics.jsonl", "record.json", "undecayed.ckpt"}
    lines = re.findall(r"step (\d+) .* loss ([-\d.]+)  J ([-\d.]+)  bpp ([\d.]+)  psnr ([\d.]+) .* skipped 0", out)
    assert [int(line[0]) for line in lines] == [1, 2, 3, 4, 5, 6]
    assert "broken.png" in err
    assert "3 pictures, 1 more too small for the crop, 1 unreadable" in err

    state, undecayed = load_checkpoint(final), load_checkpoint(tmp_path / "run" / "undecayed.ckpt")
    assert (state["progress"]["step"], undecayed["progress"]["step"]) == (6, 5)
    start = CwicModel(recipe.model).state_dict()
    for key in ("model", "average"):
        model = CwicModel(recipe.model)
        model.load_state_dict(state[key])
        assert all(tensor.isfinite().all() for tensor in state[key].values())
    assert any(not torch.equal(tensor, state["average"][name]) for name, tensor in weights(state).items())
    assert any(not torch.equal(tensor, start[name]) for name, tensor in weights(state).items())


def test_the_seed_decides_the_run(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    runs = [
        weights(
            load_checkpoint(
                loop.train(replace(recipe, seed=seed), folder, tmp_path / str(i), 2, accelerator="cpu").checkpoint
            )
        )
        for i, seed in enumerate((1, 1, 2))
    ]
    name = "g_a.blocks.0.expand.weight"
    assert torch.equal(runs[0][name], runs[1][name])
    assert not torch.equal(runs[0][name], runs[2][name])


def test_a_run_resumes_where_the_last_one_stopped(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    first = loop.train(recipe, folder, tmp_path / "first", 3, accelerator="cpu").checkpoint
    still = loop.train(recipe, folder, tmp_path / "still", 0, resume=first, accelerator="cpu").checkpoint
    before, after = load_checkpoint(first), load_checkpoint(still)
    for key in ("model", "average"):
        assert all(torch.equal(tensor, after[key][name]) for name, tensor in before[key].items())
    momenta = [state["optimisers"][0]["state"][0]["momentum_buffer"] for state in (before, after)]
    assert momenta[0].any()
    assert torch.equal(*momenta)
    further = load_checkpoint(
        loop.train(recipe, folder, tmp_path / "more", 2, resume=first, accelerator="cpu").checkpoint
    )
    name = "g_s.blocks.0.expand.weight"
    change = (further["model"][name] - before["model"][name]).abs().max()
    assert 0 < change < 0.1
    # Calibration is not repeated: its constants belong to the weights.
    assert torch.equal(further["model"]["g_a.y_scale"], before["model"]["g_a.y_scale"])


def test_a_run_that_is_told_to_stop_ends_where_an_unbroken_one_ends(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(paper_recipe, steps=6, decay_share=0.5)
    whole = loop.train(recipe, folder, tmp_path / "whole", 1000, accelerator="cpu")
    real = learner.Learner.step

    def step(self: learner.Learner, done: float) -> None:
        real(self, done)
        if self.progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(learner.Learner, "step", step)
    run = tmp_path / "run"
    stopped = loop.train(recipe, folder, run, 1000, accelerator="cpu")
    assert stopped == (run / "latest.ckpt", False)
    monkeypatch.undo()
    finished = loop.train(recipe, folder, run, 1000, resume=run, accelerator="cpu")
    assert finished == (run / "final.ckpt", True)
    first, second = load_checkpoint(whole.checkpoint), load_checkpoint(finished.checkpoint)
    for key in ("model", "average"):
        assert all(torch.equal(tensor, second[key][name]) for name, tensor in first[key].items())
    assert load_checkpoint(run / "undecayed.ckpt")["progress"]["step"] == 4
    assert len(json.loads((run / "record.json").read_text())["starts"]) == 2


def test_a_finished_run_goes_on_undecayed_when_it_is_given_more(
    paper_recipe: Recipe, folder: Path, tmp_path: Path
) -> None:
    recipe = replace(paper_recipe, decay_share=0.5)
    loop.train(recipe, folder, tmp_path, 4, accelerator="cpu", save_every=0.0)
    steps = {
        name: load_checkpoint(tmp_path / f"{name}.ckpt")["progress"]["step"]
        for name in ("undecayed", "latest", "final")
    }
    assert steps == {"undecayed": 3, "latest": 4, "final": 4}
    # Half of 4 s is over, half of 12 is not: the rates had fallen too early.
    loop.train(recipe, folder, tmp_path, 12, resume=tmp_path, accelerator="cpu")
    assert load_checkpoint(tmp_path / "undecayed.ckpt")["progress"]["step"] == 7
    (tmp_path / "latest.ckpt").unlink(missing_ok=True)
    loop.train(recipe, folder, tmp_path, 13, resume=tmp_path, accelerator="cpu")
    assert load_checkpoint(tmp_path / "final.ckpt")["progress"]["elapsed"] >= 13


def test_the_last_steps_are_reported_too(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY", 4)
    loop.train(replace(paper_recipe, steps=6), folder, tmp_path, 1000, accelerator="cpu")
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 6]


def test_a_run_of_steps_stops_at_its_budget_and_goes_on(paper_recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    recipe = replace(paper_recipe, steps=4)
    assert loop.train(recipe, folder, tmp_path, 2, accelerator="cpu") == (tmp_path / "latest.ckpt", False)
    # The budget counts what was used before.
    assert not loop.train(recipe, folder, tmp_path, 3, resume=tmp_path, accelerator="cpu").finished
    assert loop.train(recipe, folder, tmp_path, 9, resume=tmp_path, accelerator="cpu").finished
    assert load_checkpoint(tmp_path / "final.ckpt")["progress"]["step"] == 4


def test_the_papers_network_trains_in_the_same_loop(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.png").unlink()
    final = loop.train(paper_recipe, folder, tmp_path, 2, validation=folder / "inner", accelerator="cpu").checkpoint
    assert re.search(r"^step 2  lmbda 0.013: [\d.]+ bpp", capsys.readouterr().out, re.MULTILINE)
    state = load_checkpoint(final)
    assert state["progress"]["step"] == 2
    assert all(tensor.isfinite().all() for tensor in weights(state).values())


def test_hard_rounding_teaches_the_decoders_side_alone(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    first = loop.train(recipe, folder, tmp_path / "first", 1, accelerator="cpu").checkpoint
    tuned = loop.train(
        replace(recipe, hard_rounding=True), folder, tmp_path / "tuned", 3, resume=first, accelerator="cpu"
    ).checkpoint
    before, after = load_checkpoint(first)["average"], load_checkpoint(tuned)["model"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not {name for name in changed if name.startswith(("g_a.", "prior.h_a.", "prior.exact.log2_gain"))}
    assert {"g_s.blocks.0.expand.weight", "prior.exact.h_s.enter.weight", "prior.exact.z_log2_scale.value"} <= changed


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, calls = learner.rate_distortion, itertools.count()

    def second_is_bad(*arguments: object) -> object:
        result = real(*arguments)
        return result._replace(loss=result.loss * float("nan")) if next(calls) == 1 else result

    monkeypatch.setattr(learner, "rate_distortion", second_is_bad)
    state = load_checkpoint(loop.train(recipe, folder, tmp_path / "run", 3, accelerator="cpu").checkpoint)
    assert all(tensor.isfinite().all() for tensor in weights(state).values())
    assert re.findall(r"skipped (\d)", capsys.readouterr().out) == ["0", "1", "1"]


def test_validation_is_said_along_the_way_and_at_the_end(
    recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.png").unlink()
    loop.train(recipe, folder, tmp_path / "run", 3, validation=folder / "inner", validate_every=1.5, accelerator="cpu")
    out = capsys.readouterr().out
    assert re.search(r"^step 2  q20: [\d.]+ bpp", out, re.MULTILINE)
    assert re.search(r"^step 3  q20: [\d.]+ bpp", out, re.MULTILINE)


def test_another_run_is_not_overwritten(paper_recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    recipe, run = replace(paper_recipe, steps=2), tmp_path / "run"
    final = loop.train(recipe, folder, run, 1000, accelerator="cpu").checkpoint
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for resume in (None, final):
        with pytest.raises(OutputExistsError, match="-f"):
            loop.train(replace(recipe, seed=2), folder, run, 1000, resume=resume, accelerator="cpu")
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    loop.train(replace(recipe, seed=2), folder, run, 1000, accelerator="cpu", force=True)
    assert len(json.loads((run / "record.json").read_text())["starts"]) == 1
    assert [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()] == [1, 2]
    assert final.read_bytes() != before["final.ckpt"]


def test_a_finished_run_is_said_to_be(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, run = replace(paper_recipe, steps=2), tmp_path / "run"
    outcome = loop.train(recipe, folder, run, 1000, accelerator="cpu")
    before = outcome.checkpoint.read_bytes()
    assert loop.train(recipe, folder, run, 1000, resume=run, accelerator="cpu") == outcome
    assert "is finished" in capsys.readouterr().err
    assert outcome.checkpoint.read_bytes() == before
    longer = loop.train(replace(recipe, steps=4), folder, run, 1000, resume=run, accelerator="cpu").checkpoint
    assert load_checkpoint(longer)["progress"]["step"] == 4


def test_pictures_that_cannot_be_validated_on_are_found_at_the_start(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = tmp_path / "held-out"
    held_out.mkdir()
    (held_out / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.png"):
        loop.train(paper_recipe, folder, tmp_path / "run", 2, validation=held_out, accelerator="cpu")
    assert not (tmp_path / "run").exists()
    (held_out / "good.png").write_bytes((folder / "a.png").read_bytes())
    Image.new("CMYK", (80, 80)).save(held_out / "press.jpg")
    loop.train(paper_recipe, folder, tmp_path / "run", 2, validation=held_out, accelerator="cpu")
    out, err = capsys.readouterr()
    assert re.findall(r"validation: skipped .*/(\S+):", err) == ["bad.png", "press.jpg"]
    assert re.search(r"^step 2  lmbda 0.013: [\d.]+ bpp", out, re.MULTILINE)


def test_a_validation_that_fails_does_not_end_the_run(
    paper_recipe: Recipe,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(loop, "validate", fail)
    inner = folder / "inner"
    outcome = loop.train(
        paper_recipe, folder, tmp_path / "run", 3, validation=inner, validate_every=1.5, accelerator="cpu"
    )
    assert outcome.finished
    assert "validation left out: RuntimeError: out of memory" in capsys.readouterr().err


def test_a_run_that_diverges_stops_and_keeps_the_last_good_state(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = learner.rate_distortion, itertools.count()

    def bad_from_the_fourth_on(*arguments: object) -> object:
        result = real(*arguments)
        return (
            result._replace(loss=result.loss * float("nan"), mse=result.mse * float("nan"))
            if (next(calls) >= 3)
            else result
        )

    monkeypatch.setattr(learner, "rate_distortion", bad_from_the_fourth_on)
    with pytest.raises(DivergedError, match=r"after 13 steps .*latest\.ckpt"):
        loop.train(paper_recipe, folder, tmp_path / "run", 1000, accelerator="cpu", save_every=1.5)
    assert not (tmp_path / "run" / "final.ckpt").exists()
    state = load_checkpoint(tmp_path / "run" / "latest.ckpt")
    assert all(tensor.isfinite().all() for tensor in weights(state).values())
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["psnr"] is None
    assert not any(word in line for line in lines for word in ("NaN", "Infinity"))


def test_a_short_run_without_a_good_step_in_its_later_half_has_no_end(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = learner.rate_distortion, itertools.count()

    def bad_from_the_second_on(*arguments: object) -> object:
        result = real(*arguments)
        return result._replace(loss=result.loss * float("inf")) if next(calls) else result

    monkeypatch.setattr(learner, "rate_distortion", bad_from_the_second_on)
    with pytest.raises(DivergedError, match="after 4 steps"):
        loop.train(paper_recipe, folder, tmp_path / "run", 4, accelerator="cpu")
    assert not (tmp_path / "run" / "final.ckpt").exists()


def test_weights_that_are_not_finite_end_a_run_at_once(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = learner.Learner.step

    def step(self: learner.Learner, done: float) -> None:
        real(self, done)
        if self.progress.step == 2:
            next(self._model.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(learner.Learner, "step", step)
    with pytest.raises(DivergedError, match=r"after 2 steps .* no state of it was kept"):
        loop.train(paper_recipe, folder, tmp_path / "run", 1000, accelerator="cpu")
    assert not list((tmp_path / "run").glob("*.ckpt"))


def test_a_device_that_is_not_there_is_an_error_of_one_line(
    paper_recipe: Recipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device cuda: there is no GPU"):
        loop.train(paper_recipe, folder, tmp_path / "run", 1, accelerator="cuda")
    assert not (tmp_path / "run").exists()
    loop.check_device("auto", 8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for accelerator in ("cuda", "auto"):
        loop.check_device(accelerator, 2)
        with pytest.raises(InputError, match="3 processes need as many GPUs"):
            loop.check_device(accelerator, 3)


def test_a_checkpoint_of_another_model_is_refused(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    first = loop.train(recipe, folder, tmp_path / "first", 0, accelerator="cpu").checkpoint
    wider = replace(recipe, model=replace(recipe.model, M=32))
    with pytest.raises(InputError, match=r"final\.ckpt"):
        loop.train(wider, folder, tmp_path / "second", 1, resume=first, accelerator="cpu")


def test_the_loop_needs_no_package_of_the_codec_or_of_the_command_line() -> None:
    absent = ("constriction", "typer", "webdataset", "tensorboard", "pytorch_optimizer")
    script = f"import sys; sys.modules.update(dict.fromkeys({absent})); import cwic.training.loop"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
