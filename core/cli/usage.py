"""`usage` and `plan`: where the disk went, and what could go. Nothing is moved here."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.base.records import Run
from core.base.sizes import size_text
from core.cli.options import AsJson, Cached, Roots
from core.cli.policy import AskedPolicy, takes_policy
from core.cli.session import looked_at, print_json, say, stdout
from core.documents.plans import plan_document
from core.documents.usage import usage_document
from core.services import disk_space, retention
from core.services.disk_space import Usage
from core.services.retention import Plan
from core.services.sweeps import find_sweep, runs_of
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

_SHOWN = 20

RunNames = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Only these runs.")]
SweepNames = Annotated[
    list[str] | None, typer.Option("--sweep", metavar="SWEEP", help="The runs of this sweep's trials; may be repeated.")
]


def usage_command(roots: Roots = None, as_json: AsJson = False, cached: Cached = False) -> None:
    """Where the disk went: bytes by root, run, format, contents, kind and age. `--cached`: the last audit."""
    with looked_at(roots, "usage", cached=cached) as (workspace, code):
        found = (disk_space.last_audit(workspace) if cached else None) or disk_space.audit(workspace)
        if as_json:
            print_json(usage_document(found.usage, {root.id: root.path for root in workspace.reader.roots()}))
        else:
            _print_usage(found.usage)
        for root, problem in found.usage.problems:
            say(f"{to_text(workspace.absolute(root, problem.path))}: {problem.problem}")
        raise typer.Exit(code)


def _print_usage(usage: Usage) -> None:
    total = f"{size_text(usage.allocated_bytes)} on disk, {size_text(usage.apparent_bytes)} in {usage.files:,} files"
    stdout.print(total, highlight=False)
    runs = [("outside of runs" if run is None else to_text(run), amount) for (_, run), amount in usage.by_run]
    parts = (
        ("kind", [(key.value.replace("_", " "), amount) for key, amount in usage.by_kind]),
        ("format", [("no checkpoint" if key is None else key.value, amount) for key, amount in usage.by_format]),
        ("age", [(key.value, amount) for key, amount in usage.by_age]),
        ("run", runs[:_SHOWN]),
    )
    for head, rows in parts:
        table = Table(head, box=None, pad_edge=False)
        for name in ("on disk", "apparent", "files"):
            table.add_column(name, no_wrap=True, justify="right")
        for name, amount in rows:
            table.add_row(Text(name), size_text(amount.allocated), size_text(amount.apparent), f"{amount.files:,}")
        stdout.print()
        stdout.print(table)
    if len(runs) > _SHOWN:
        stdout.print(f"and {len(runs) - _SHOWN:,} more runs", highlight=False)


@takes_policy
def plan_command(
    runs: RunNames = None,
    sweeps: SweepNames = None,
    asked: AskedPolicy = lambda: None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """What would go into quarantine, by the policy given here or that of waypoint.toml, and why the rest stays."""
    with looked_at(roots, "plan", cached=cached) as (workspace, code):
        policy = asked()
        made = retention.plan(workspace, named_runs(workspace, runs, sweeps), policy)
        if as_json:
            print_json(plan_document(made))
        else:
            print_plan(made)
        raise typer.Exit(code)


def named_runs(workspace: Workspace, names: list[str] | None, sweeps: list[str] | None = None) -> tuple[Run, ...]:
    """The runs that were named, and those of the trials of the sweeps that were; all where none was."""
    if not names and not sweeps:
        return workspace.runs()
    found = [workspace.find_run(name) for name in names or ()]
    for name in sweeps or ():
        sweep = find_sweep(workspace, name)
        found += runs_of(workspace, sweep.root, sweep.path).values()
    return tuple({(run.root, run.path): run for run in found}.values())


def print_plan(made: Plan) -> None:
    """A plan for people: what goes and what stays, each with its reason."""
    for run in made.runs:
        if not run.items and not run.stays:
            continue
        live = " (live)" if run.is_live else ""
        if run.needs_word:
            live = f" (written lately, its disk is full: checkpoints go with --confirm {to_text(run.run)} alone)"
        last = " (all of its checkpoints would go)" if run.emptied else ""
        lines = [f"{to_text(run.run)}{live}{last}"]
        lines += [f"  goes   {to_text(item.path)}  {size_text(item.bytes)}: {item.reason}" for item in run.items]
        lines += [
            f"  stays  {to_text(item.path)}  {size_text(item.bytes)}: {'; '.join(item.reasons)}" for item in run.stays
        ]
        stdout.print("\n".join(lines), markup=False, highlight=False)
    number = sum(len(run.items) for run in made.runs)
    what = "Nothing would go." if not number else f"{number:,} would go, {size_text(made.freed_bytes)} would be freed."
    stdout.print(what, highlight=False)
    if (typed := retention.confirmation_of(made)) is not None:
        stdout.print(f"Nothing would be left of {typed}: quarantine wants --confirm '{typed}'.", highlight=False)
