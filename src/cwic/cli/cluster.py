"""`cwic batch`: code very many pictures, on one machine or a cluster, from and to any place that fsspec reaches."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cwic.cli import bar, common, lossy, options, pair, reports, several
from cwic.cli.decode import format_asked_for
from cwic.cli.decoding import Decoding
from cwic.cli.encode import is_picture
from cwic.cli.encoding import Encoding
from cwic.cli.job import shown
from cwic.cli.plan import folds_case
from cwic.cli.tree import Patterns, others_line
from cwic.errors import InputError
from cwic.evaluation.cores import threads_each
from cwic.extras import require
from cwic.models.catalog import chosen
from cwic.progress import report
from cwic.threads import thread_count

if TYPE_CHECKING:
    from cwic.batch.listing import Told, Wanted
    from cwic.batch.manifest import Manifest, Plan
    from cwic.batch.shard import Counts

NAMED = 8
"""The number of failures that are named at the end; `cwic batch status` names all."""
_NEEDED = ("fsspec", "pyarrow", "tenacity")


class _RunByDefault(TyperGroup):
    """A group of commands in which `cwic batch SRC DST` is short for `cwic batch run SRC DST`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault, help="Very many pictures: on the cores of this machine or a Ray cluster.", rich_markup_mode=None
)

Dst = Annotated[str, typer.Argument(metavar="DST", help="Folder or URL of the outputs.", show_default=False)]


@app.command("run")
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC", help="Folder, URL, list of paths (.txt, .parquet) or tars (*.tar).", show_default=False
        ),
    ],
    target: Dst,
    decode: Annotated[bool, typer.Option("--decode", help="The way back: .cwic files to pictures.")] = False,
    format: Annotated[str, typer.Option("--format", help="With --decode, of the pictures: png, jpg, webp ...")] = "png",
    output_quality: Annotated[
        int | None,
        typer.Option(
            "--output-quality", help=f"Of JPEG, WebP, AVIF; {lossy.GOOD}.", min=1, max=100, show_default=False
        ),
    ] = None,
    quality: options.Quality = None,
    target_bytes: options.TargetBytes = None,
    target_bpp: options.TargetBpp = None,
    target_psnr: options.TargetPsnr = None,
    target_ms_ssim: options.TargetMsSsim = None,
    target_ssimulacra2: options.TargetSsimulacra2 = None,
    effort: options.Effort = options.DEFAULT_EFFORT,
    model: options.Model = None,
    tune: options.Tune = None,
    strip: options.Strip = False,
    tile: options.Tile = None,
    robust: options.Robust = False,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", help="Ray cluster to run on: auto, or HOST:PORT.", envvar="RAY_ADDRESS", show_default=False
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", help="Pictures at a time; with --ray, shards. As many as fit.", min=1, show_default=False
        ),
    ] = None,
    cpus: Annotated[int, typer.Option("--cpus", help="With --ray, processors for each shard.", min=1)] = 1,
    gpus: Annotated[
        float, typer.Option("--gpus", help="With --ray and --device cuda, GPUs for each shard: 1, 0.5 ...", min=0.01)
    ] = 1.0,
    shard: Annotated[
        int | None,
        typer.Option(
            "--shard", help="Pictures of a shard. 1000, fewer where there are few.", min=1, show_default=False
        ),
    ] = None,
    on_change: Annotated[bool, typer.Option("--on-change", help="List again; code what changed or is new.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed.")] = False,
    device: common.OnDevice = common.Device.cpu,
    include: common.Include = None,
    exclude: common.Exclude = None,
    no_limits: common.NoLimits = False,
    force: common.Force = False,
    as_json: common.AsJson = False,
) -> None:
    """Code all pictures of SRC into DST, shard by shard; the same command goes on with a stopped run.

    cwic batch status DST says how far it is, and what failed. Needs pip install cwic[cluster].
    """
    options.check(quality, target_bytes, target_bpp, target_psnr, target_ms_ssim, target_ssimulacra2, tune=tune)
    suffix = f".{format.lower().lstrip('.')}"
    targets: dict[str, Any] = {
        "quality": quality,
        "target_bytes": target_bytes,
        "target_bpp": target_bpp,
        "target_psnr": target_psnr,
        "target_ms_ssim": target_ms_ssim,
        "target_ssimulacra2": target_ssimulacra2,
    }
    how: dict[str, Any] = {"effort": effort, "strip": strip, "tile": tile, "robust": robust}
    if decode:
        asked_effort = None if effort == options.DEFAULT_EFFORT else effort
        _check_absent(targets | how | {"effort": asked_effort, "tune": tune}, "encoding: without --decode")
    else:
        asked_format = None if suffix == ".png" else suffix
        _check_absent(
            {"format": asked_format, "output_quality": output_quality}, "pictures, the way back: with --decode"
        )
    if ray is None and cpus != 1:
        raise typer.BadParameter("--cpus is for a Ray cluster: --ray names it")
    if gpus != 1 and (ray is None or device is not common.Device.cuda):
        raise typer.BadParameter("--gpus is for a Ray cluster with --device cuda: --ray names it")
    if decode and not lossy.has_quality(format_asked_for(f"x{suffix}")) and output_quality is not None:
        raise typer.BadParameter("--output-quality is for pictures with loss, such as --format jpg")
    patterns = Patterns(include or (), exclude or ())
    processes = 1 if ray else jobs or (1 if device is common.Device.cuda else thread_count())
    everywhere: dict[str, Any] = {"tiles_at_a_time": 1, "device": device.value, "no_limits": no_limits}
    work: Encoding | Decoding
    told: dict[str, Any]
    if decode:
        work = Decoding(model, None, 1, False, output_quality, force=True, skip_existing=False, **everywhere)
        told = {"format": suffix, "output_quality": output_quality, "model": model}
    else:
        work = Encoding(
            **targets, **how, model=model, tune=tune, force=True, skip_existing=False, verbose=False, **everywhere
        )
        told = {**targets, **how, "model": chosen(model, tune)}
    told |= {"decode": decode, "include": list(patterns.include), "exclude": list(patterns.exclude)}

    def work_on(_: int) -> None:
        _require()
        from cwic.batch.listing import Wanted
        from cwic.batch.manifest import Manifest, Plan
        from cwic.batch.shard import do_shard
        from cwic.batch.status import failure_line, failures, status_of
        from cwic.batch.store import Target, is_local, local_path
        from cwic.cli.coder import PoolCoder

        place = Target(target)
        manifest = Manifest(place)
        named = local_path(source) if is_local(source) else source
        wanted = Wanted(
            (lambda suffix: suffix.lower() == pair.SUFFIX) if decode else is_picture,
            suffix if decode else pair.SUFFIX,
            patterns,
            place.url,
        )
        workers = processes
        if ray:
            from cwic.batch import on_ray

            workers = jobs or on_ray.connect(ray) // cpus or 1
        with bar.shown("decoding" if decode else "encoding"):
            plan = _planned(manifest, Plan(named, told), wanted, shard, workers, on_change, retry_failed)
            coder = PoolCoder(work, processes, cpus if ray else threads_each(processes))
            left = manifest.left(plan)
            counts: Iterator[Counts]
            if ray and left:
                gpu = gpus if device is common.Device.cuda else 0
                counts = on_ray.do_shards(
                    left, place.url, coder, is_fresh=plan.is_fresh, force=force, cpus=cpus, gpus=gpu, at_most=jobs
                )
            else:
                counts = (do_shard(name, place.url, coder, is_fresh=plan.is_fresh, force=force) for name in left)
            with closing(coder):
                _follow(counts, plan, len(left))
        status = status_of(manifest, plan)
        for _, row in zip(range(NAMED), failures(manifest), strict=False):
            reports.say(f"cwic: {failure_line(row)}")
        if status.failed > NAMED:
            reports.say(f"cwic: and {status.failed - NAMED} more: cwic batch status {shown(target)}")
        reports.report(str(status), {"target": place.url, **status.record()}, as_json=as_json)
        if status.exit_code:
            raise typer.Exit(status.exit_code)

    several.run([source], work_on)


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != []


def _as_given(name: str, value: object) -> str:
    """Return an option as it was given to a run: `--quality 70`, `--strip`, `no --tile`."""
    option = _option(name)
    if value is True:
        return option
    if not _is_given(value):
        return f"no {option}"
    values = value if isinstance(value, list) else [value]
    return " ".join([option, *(f"{each:g}" if isinstance(each, float) else str(each) for each in values)])


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_absent(values: dict[str, Any], purpose: str) -> None:
    """Refuse options that would do nothing, and tell what they are for. Raises typer.BadParameter."""
    for name, value in values.items():
        if _is_given(value):
            raise typer.BadParameter(f"{_option(name)} is for {purpose}")


@app.command("status")
def status(target: Dst, as_json: common.AsJson = False) -> None:
    """Sum up a run: what is done, every failure, and how long the rest takes at the same pace."""

    def work(_: int) -> None:
        _require()
        from cwic.batch.manifest import Manifest
        from cwic.batch.status import failure_line, failures, status_of
        from cwic.batch.store import Target

        manifest = Manifest(Target(target))
        plan = manifest.plan()
        if plan is None:
            raise InputError("there is no run, or its listing is not complete")
        found = status_of(manifest, plan)
        for folder, reason in plan.unread:
            reports.report(f"{folder}: {reason}", {"unread": folder, "error": reason}, as_json=as_json)
        for row in failures(manifest):
            reports.report(failure_line(row), {"input": row.name, **row._asdict()}, as_json=as_json)
        reports.report(str(found), {"target": manifest.target.url, **found.record()}, as_json=as_json)
        if found.exit_code:
            raise typer.Exit(found.exit_code)

    several.run([target], work)


def _require() -> None:
    for package in _NEEDED:
        require(package, "cluster")


def _planned(
    manifest: Manifest,
    asked: Plan,
    wanted: Wanted,
    shard: int | None,
    workers: int,
    on_change: bool,
    retry_failed: bool,
) -> Plan:
    """Return the plan of a run: the one in the target, brought up to date if that is asked for, or else a new one.

    Args:
        manifest: the manifest of the target.
        asked: the source and the options that the command names.
        wanted: the files to list.
        shard: pictures of a shard; None leaves it to the planning.
        workers: the number of shards or pictures that are coded at a time.
        on_change: list the source again, and plan what changed or is new.
        retry_failed: plan failed pictures again.

    Raises:
        InputError: the target belongs to a run with another source or other options.
    """
    from cwic.batch import planning

    key = _key(manifest.target.url)
    manifest.tidy()
    plan = manifest.plan()
    if plan is None:
        plan, told = planning.make_plan(manifest, asked, wanted, key, shard=shard, workers=workers)
        _tell(told, wanted)
        return plan
    if plan.source != asked.source:
        raise InputError(f"the target belongs to a run over {shown(plan.source)}")
    if different := [name for name, value in asked.options.items() if plan.options.get(name) != value]:
        before = ", ".join(_as_given(name, plan.options.get(name)) for name in different)
        raise InputError(f"the target belongs to a run with other options: {before}")
    if on_change:
        changes, told = planning.update(manifest, plan, wanted, key)
        _tell(told, wanted)
        reports.say(f"cwic: {changes.changed} changed, {changes.new} new, {changes.gone} gone")
    if retry_failed:
        reports.say(f"cwic: {planning.retry_failed(manifest)} are tried again")
    return plan


def _tell(told: Told, wanted: Wanted) -> None:
    for folder, reason in told.unread:
        reports.say(reports.complaint(folder, reason))
    if told.others:
        kind = "picture" if wanted.suffix == pair.SUFFIX else "cwic file"
        reports.say(f"cwic: {others_line(told.named, kind, told.others)}")


def _follow(counts: Iterator[Counts], plan: Plan, shards: int) -> None:
    """Report the progress of the run whenever a shard ends."""
    coded = 0
    for ended, found in enumerate(counts, 1):
        coded += found.coded + found.failed
        report("files", coded, round(coded * shards / ended))


def _key(target: str) -> Callable[[str], str]:
    """Return a function that gives names the same key if they are one file in the target."""
    from cwic.batch.store import is_local

    if not is_local(target):
        return str
    there = target
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    folds = folds_case(there)
    return lambda name: unicodedata.normalize("NFC", name).casefold() if folds else name
