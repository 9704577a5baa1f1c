"""The commands."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.catalog.filters import CheckpointFilter
from core.choose import SeriesChoice, reasons
from core.cli import documents
from core.cli.health import health_command
from core.cli.mend import mend_command
from core.cli.naming import checkpoint_named
from core.cli.quarantine import pin_command, purge_command, quarantine_command, undo_command
from core.cli.resume_env import resume_env_command
from core.cli.session import (
    NOTHING_RESTORABLE,
    AsJson,
    Cached,
    Roots,
    RunName,
    leaving,
    opened,
    print_json,
    refresh,
    refreshed,
    report_problems,
    say,
    stdout,
)
from core.cli.usage import plan_command, usage_command
from core.cli.verify import verify_command
from core.errors import AmbiguousError, NotRestorableError
from core.fs.names import to_text
from core.model import Checkpoint, Run
from core.resume.history import ManifestState
from core.resume.manifest import to_json
from core.workspace import Workspace

app = typer.Typer(
    name="waypoint",
    help="Find TensorFlow and Keras checkpoints, tell which can be resumed from, and hand one to a training job.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


_WIDE = 120  # columns of a terminal that has room for format and contents


class ResumeMode(StrEnum):
    """How a job goes on."""

    CONTINUE = "continue"


def main() -> None:
    """Entry point of `python -m core`."""
    app()


app.command("health")(health_command)
app.command("verify")(verify_command)
app.command("mend")(mend_command)
app.command("usage")(usage_command)
app.command("plan")(plan_command)
app.command("quarantine")(quarantine_command)
app.command("undo")(undo_command)
app.command("purge")(purge_command)
app.command("pin")(pin_command)
app.command("resume-env")(resume_env_command)


@app.command("index")
def index_command(roots: Roots = None, as_json: AsJson = False) -> None:
    """Look at the disk and bring the catalog up to date."""
    with leaving(), opened(roots) as workspace:
        report = refresh(workspace, "index")
        code = report_problems(report)
        if as_json:
            print_json(documents.index_document(report))
        else:
            stdout.print(
                f"{report.runs:,} runs, {report.checkpoints:,} checkpoints; {report.parsed:,} read, "
                f"{report.reused:,} known already in the folders that changed; {report.seconds:.1f} s",
                highlight=False,
            )
        raise typer.Exit(code)


@app.command("ls")
def ls_command(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run's.")] = None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """List checkpoints, the newest first."""
    with leaving(), opened(roots) as workspace:
        code = refreshed(workspace, "ls", cached=cached)
        where = CheckpointFilter()
        if run is not None:
            found = workspace.find_run(run)
            where = CheckpointFilter(root=found.root, run=found.path)
        items = workspace.reader.checkpoints(where, limit=None).items
        paths = {root.id: root.path for root in workspace.reader.roots()}
        if as_json:
            print_json([documents.checkpoint_document(item, paths[item.root]) for item in items])
        else:
            _print_checkpoints(items)
        raise typer.Exit(code)


def _print_checkpoints(items: tuple[Checkpoint, ...]) -> None:
    is_wide = not stdout.is_terminal or stdout.width >= _WIDE
    names = (*(("format", "contents") if is_wide else ()), "step", "saved (UTC)", "bytes", "health")
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
        )
    stdout.print(table if items else "No checkpoints.")


@app.command("latest")
def latest_command(run: RunName, roots: Roots = None, as_json: AsJson = False, cached: Cached = False) -> None:
    """The checkpoint to resume from, for each series of a run, and why newer ones were passed over."""
    with leaving(), opened(roots) as workspace:
        code = refreshed(workspace, "latest", cached=cached)
        found = workspace.find_run(run)
        choices = workspace.choices(found.root, found.path)
        if as_json:
            root_path = workspace.root(found.root).path
            print_json([documents.choice_document(choice, root_path) for choice in choices])
        else:
            for choice in choices:
                _print_choice(choice)
        if not any(choice.chosen for choice in choices):
            say(f"Nothing in {to_text(found.path)} can be restored.")
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


@app.command("resume")
def resume_command(
    run: RunName,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="PATH", help="The checkpoint, if not the latest that can be restored.")
    ] = None,
    mode: Annotated[ResumeMode, typer.Option(help="How the job goes on.")] = ResumeMode.CONTINUE,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever reads the manifest later.")] = "",
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Write a run's resume manifest and print it. Every warning is printed first, and is accepted by this command."""
    del mode, as_json  # there is one mode so far, and the manifest is JSON either way
    with leaving(), opened(roots) as workspace:
        code = refreshed(workspace, "resume", cached=cached)
        found = workspace.find_run(run)
        picked = (
            checkpoint_named(workspace, found, checkpoint) if checkpoint is not None else _only_choice(workspace, found)
        )
        if not picked.restorable:
            raise NotRestorableError(f"{to_text(picked.path)} cannot be restored: {' '.join(reasons(picked))}")
        proposal = workspace.propose(picked)
        for entry in workspace.manifests(found.root, found.path):
            if entry.state is ManifestState.PENDING:
                say(f"replaces the pending manifest of {entry.manifest.created_by}, {entry.manifest.checkpoint.path}")
        for warning in proposal.warnings:
            say(f"warning: {warning.text}")
        manifest, path = workspace.resume(
            picked, proposal, note=note, accepted=[warning.id for warning in proposal.warnings]
        )
        say(f"written: {to_text(str(path))}")
        typer.echo(to_json(manifest))
        raise typer.Exit(code)


def _only_choice(workspace: Workspace, run: Run) -> Checkpoint:
    """The latest restorable of the run's only series."""
    choices = workspace.choices(run.root, run.path)
    picked = [choice.chosen for choice in choices if choice.chosen is not None]
    if not picked:
        reasons = "; ".join(
            f"{to_text(p.checkpoint.path)}: {' '.join(p.reasons)}" for c in choices for p in c.passed_over
        )
        raise NotRestorableError(
            f"Nothing in {to_text(run.path)} can be restored: {reasons or 'it has no checkpoints'}."
        )
    if len(picked) > 1:
        names = ", ".join(to_text(item.path) for item in picked)
        raise AmbiguousError(f"{to_text(run.path)} has several series; say which with --checkpoint: {names}.")
    return picked[0]
