"""The commands."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.base.records import Checkpoint
from core.cli.accept import accept_command
from core.cli.batches import purge_command, undo_command
from core.cli.health import health_command
from core.cli.kept import kept_command
from core.cli.mend import mend_command
from core.cli.metrics import MetricName, compare_command, metrics_command, runs_command, show_best
from core.cli.options import AsJson, Cached, Roots, RunName, Where
from core.cli.pause import pause_command
from core.cli.quarantine import pin_command, quarantine_command
from core.cli.resume import resume_command
from core.cli.resume_env import resume_env_command
from core.cli.searching import say_unknown
from core.cli.session import (
    NOTHING_RESTORABLE,
    leaving,
    looked_at,
    opened,
    print_json,
    refresh,
    report_problems,
    say,
    say_passed_over,
    stdout,
)
from core.cli.sweeps import sweeps_command
from core.cli.tag import CONTEXT as TAG_CONTEXT
from core.cli.tag import tag_command
from core.cli.usage import plan_command, usage_command
from core.cli.verify import verify_command
from core.documents.checkpoints import choice_document, listed_document
from core.documents.index import index_document
from core.services import passed_over
from core.services.checkpoints import CheckpointFilter
from core.services.health import RULES
from core.services.runs import SeriesChoice, closed_folders, killed_saves, series_choices
from core.services.searching import search_checkpoints
from core.services.sweeps import TrialResult, trial_results
from core.services.workspace import upgrade_text
from waypoint_resume.names import to_text

app = typer.Typer(
    name="waypoint",
    help="Find TensorFlow and Keras checkpoints, tell which can be resumed from, and hand one to a training job.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


_WIDE = 120  # columns of a terminal that has room for format and contents


def main() -> None:
    """Entry point of `python -m core`."""
    app()


app.command("metrics")(metrics_command)
app.command("compare")(compare_command)
app.command("runs")(runs_command)
app.command("health")(health_command)
app.command("verify")(verify_command)
app.command("mend")(mend_command)
app.command("usage")(usage_command)
app.command("sweeps")(sweeps_command)
app.command("plan")(plan_command)
app.command("quarantine")(quarantine_command)
app.command("undo")(undo_command)
app.command("purge")(purge_command)
app.command("pin")(pin_command)
app.command("tag", context_settings=TAG_CONTEXT)(tag_command)
app.command("kept")(kept_command)
app.command("accept")(accept_command)
app.command("resume")(resume_command)
app.command("pause")(pause_command)
app.command("resume-env")(resume_env_command)


@app.command("index")
def index_command(roots: Roots = None, as_json: AsJson = False) -> None:
    """Look at the disk and bring the catalog up to date."""
    with leaving(), opened(roots, keeps=True) as workspace:
        report = refresh(workspace, "index", reread_seconds=None, metrics_seconds=None)
        code = report_problems(report)
        say_passed_over(workspace)
        if as_json:
            found = passed_over.look_up(workspace.engine, workspace.reader.roots())
            print_json(index_document(report, found))
        else:
            stdout.print(
                f"{report.runs:,} runs, {report.checkpoints:,} checkpoints; {report.parsed:,} read, "
                f"{report.reused:,} known already in the folders that changed; {report.seconds:.1f} s",
                highlight=False,
            )
            if upgraded := upgrade_text(report):
                stdout.print(upgraded, highlight=False)
        raise typer.Exit(code)


@app.command("ls")
def ls_command(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run's.")] = None,
    where: Where = "",
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """List checkpoints, the newest first."""
    with looked_at(roots, "ls", cached=cached) as (workspace, code):
        say_passed_over(workspace)
        search = search_checkpoints(where, workspace.now())
        wanted = CheckpointFilter(search=search)
        if run is not None:
            found = workspace.find_run(run)
            wanted = replace(wanted, root=found.root, run=found.path)
        items = workspace.reader.checkpoints(wanted, limit=None).items
        say_unknown(workspace, search, items)
        paths = {root.id: root.path for root in workspace.reader.roots()}
        trials = trial_results(workspace, {(item.root, item.run) for item in items})
        if as_json:
            print_json([listed_document(item, paths[item.root], trials) for item in items])
        else:
            _print_checkpoints(items, trials)
        raise typer.Exit(code)


def _print_checkpoints(items: tuple[Checkpoint, ...], trials: Mapping[tuple[str, str], TrialResult]) -> None:
    is_wide = not stdout.is_terminal or stdout.width >= _WIDE
    names = (*(("format", "contents") if is_wide else ()), "step", "saved (UTC)", "bytes", "health")
    names += ("trial",) if trials else ()
    table = Table("checkpoint", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    for name in names:
        table.add_column(name, no_wrap=True, justify="right" if name in ("step", "bytes") else "left")
    for item in items:
        step = item.facts.step
        table.add_row(
            Text(to_text(item.path)),
            *((item.format.value, item.facts.contents.value) if is_wide else ()),
            "unknown" if step is None else f"{step.value:,}",
            f"{item.saved_at:%Y-%m-%d %H:%M:%S}",
            f"{item.bytes:,}",
            item.health.value,
            *((Text(trials[item.root, item.run].text if (item.root, item.run) in trials else ""),) if trials else ()),
        )
    stdout.print(table if items else "No checkpoints.")


@app.command("latest")
def latest_command(
    run: RunName,
    best: Annotated[bool, typer.Option("--best", help="The best one by a metric instead.")] = False,
    metric: MetricName = None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """The checkpoint to resume from, for each series of a run, and why newer ones were passed over."""
    best = best or metric is not None
    with looked_at(roots, "latest", cached=cached, all_metrics=best) as (workspace, code):
        found = workspace.find_run(run)
        if best:
            raise typer.Exit(show_best(workspace, found, metric, as_json=as_json) or code)
        if found.is_deleted:
            say(f"{RULES['deleted-run'].meaning} {RULES['deleted-run'].action}")
        choices = series_choices(workspace, found.root, found.path)
        if as_json:
            root_path = workspace.root(found.root).path
            print_json([choice_document(choice, root_path) for choice in choices])
        else:
            for choice in choices:
                _print_choice(choice)
        left = workspace.reader.leftovers(found.root, found.path)
        for closed in closed_folders(left):
            say(closed)
        if not any(choice.chosen for choice in choices):
            told = killed_saves(choices, left)
            say(
                " ".join(
                    [f"{'No checkpoint of' if told else 'Nothing in'} {to_text(found.path)} can be restored.", *told]
                )
            )
            code = NOTHING_RESTORABLE
        raise typer.Exit(code)


def _print_choice(choice: SeriesChoice) -> None:
    chosen = choice.chosen
    lines = [
        f"{choice.name}: {'nothing to resume from' if chosen is None else to_text(chosen.path)}",
        f"  {choice.why}",
    ]
    if chosen is not None and chosen.facts.step is not None:
        lines.append(f"  step {chosen.facts.step.value:,}, from {chosen.facts.step.source}")
    lines += [f"  passed over {to_text(item.checkpoint.path)}: {' '.join(item.reasons)}" for item in choice.passed_over]
    answer = choice.tensorflow_error or (choice.tensorflow_latest and to_text(choice.tensorflow_latest)) or "None"
    lines.append(f"  tf.train.latest_checkpoint: {answer}")
    stdout.print(
        "\n".join(filter(None, [*lines, choice.order_note and f"  {choice.order_note}"])), markup=False, highlight=False
    )
