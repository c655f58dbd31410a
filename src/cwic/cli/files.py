"""Work through all files of a run: code them here or in processes, write, report and count them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import typer

from cwic.cli import bar, common, reports, streams
from cwic.cli.job import Job, shown
from cwic.cli.outcome import Outcome, Work, attempt
from cwic.cli.summary import Summary
from cwic.cli.tree import Plan, others_line
from cwic.errors import InputError
from cwic.evaluation.cores import threads_each
from cwic.image.files import remove_temporary
from cwic.progress import report
from cwic.threads import thread_count

MAX_TILES = 4
"""Tiles of one picture that are coded at a time unless more are asked for: each takes half a gigabyte."""


class Share(NamedTuple):
    """The division of a run: processes for files, threads of each process, and tiles at a time in each."""

    processes: int
    threads: int
    tiles: int


def share(jobs: int | None, files: Sequence[Job], device: common.Device) -> Share:
    """Divide a run by `--jobs`: files at a time if there are several, otherwise tiles at a time.

    The default is one for each processor, or one file at a time on a GPU.
    """
    asked = jobs or (1 if device is common.Device.cuda else thread_count())
    if len(files) <= 1:
        return Share(1, thread_count(), jobs or min(asked, MAX_TILES))
    if any(job.source.startswith("/dev/") for job in files):
        return Share(1, thread_count(), asked)  # another process has other pipes
    processes = min(asked, len(files))
    return Share(processes, threads_each(processes), max(1, asked // processes))


def run(
    plan: Plan,
    work: Work,
    line: Callable[[dict[str, Any]], str],
    *,
    share: Share,
    kind: str,
    label: str,
    force: bool,
    skip_existing: bool,
    as_json: bool,
) -> None:
    """Do all jobs of a plan. A failure is reported in one line, and does not stop the others.

    Args:
        plan: the jobs.
        work: does one job, except for writing the output.
        line: turns the record of a result into a line of text.
        share: the processes, threads and tiles of the run.
        kind: the kind of file that the command takes, named when other files are left out.
        label: the text of the progress bar.
        force: outputs may be replaced.
        skip_existing: remove the half-written files that an earlier, killed run may have left.
        as_json: report records instead of lines.

    Raises:
        typer.Exit: there were failures; its code is the highest among them.
    """
    summary = Summary()
    worst = 0
    for folder, error in plan.unread:
        worst = max(worst, reports.complain(folder, error))
    if plan.folders and not (plan.jobs or plan.unread):
        worst = max(worst, reports.complain(", ".join(plan.folders), InputError(f"there is no {kind} in it")))
    if skip_existing:
        for place in {os.path.dirname(job.target) for job in plan.jobs}:
            remove_temporary(place or os.curdir)
    total = len(plan.jobs)
    with bar.shown(label), closing(_outcomes(work, plan.jobs, share)) as outcomes:
        if total > 1:
            report("files", 0, total)
        for index, outcome in outcomes:
            job = plan.jobs[index]
            code = _end(job, outcome, line, force=force, as_json=as_json)
            worst = max(worst, code)
            summary.add(job, outcome.made, failed=bool(code))
            if total > 1:
                report("files", summary.done + summary.failed, total - summary.skipped)
    if plan.others:
        reports.say(f"cwic: {others_line(plan.others, kind)}")
    if plan.folders and plan.jobs:
        reports.say(str(summary))
    if worst:
        raise typer.Exit(worst)


def _outcomes(work: Work, jobs: Sequence[Job], share: Share) -> Generator[tuple[int, Outcome], None, None]:
    if share.processes > 1:
        from cwic.cli.pool import in_processes

        yield from in_processes(work, jobs, share.processes, share.threads)
        return
    for index, job in enumerate(jobs):
        yield index, attempt(work, job)


def _end(job: Job, outcome: Outcome, line: Callable[[dict[str, Any]], str], *, force: bool, as_json: bool) -> int:
    """Write the output of a job, print its messages and its report, and return its exit code."""
    for text in outcome.said:
        reports.say(text)
    made = outcome.made
    if made is None:
        return outcome.exit_code
    if made.replaces:
        reports.say(reports.complaint(job.source, f"output {shown(job.target)} was damaged, and is replaced"))
    if made.data is None:
        if as_json:
            reports.report("", made.record, as_json=True)
        return 0
    try:
        start = perf_counter()
        if job.makes_folder:
            _make_folder_of(job.target)
        streams.write(job.target, made.data, force=force or made.replaces)
        if "seconds_by_stage" in made.record:
            made.record["seconds_by_stage"]["write"] = perf_counter() - start
        for note in made.notes:
            reports.say(note)
        reports.report("" if as_json else line(made.record), made.record, as_json=as_json, target=job.target)
        if made.problem is not None:
            raise made.problem
    except Exception as error:
        if reports.ends_run(error):
            raise
        return reports.complain(job.source, error)
    return 0


def _make_folder_of(target: str) -> None:
    try:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        folder = os.path.dirname(target)
        raise InputError(f"cannot make the folder {shown(folder)}: {error.strerror}") from None
