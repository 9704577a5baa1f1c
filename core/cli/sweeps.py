"""`sweeps`: which sweeps there are, and the trials of one, the best first."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.base.sizes import size_text
from core.cli.options import AsJson, Cached, Roots
from core.cli.session import looked_at, print_json, say, stdout
from core.documents.sweeps import sweep_document, trial_document
from core.services.sweeps import Sweep, find_sweep, runs_of, score_text
from core.services.workspace import Workspace
from waypoint_resume.names import to_text


def sweeps_command(
    sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="Its trials, the best first.")] = None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """List the sweeps of hyperparameters with their best trials, or the trials of one."""
    with looked_at(roots, "sweeps", cached=cached) as (workspace, code):
        if sweep is not None:
            _show_one(workspace, find_sweep(workspace, sweep), as_json=as_json)
        elif as_json:
            sizes = workspace.sweeps.sizes()
            paths = {root.id: root.path for root in workspace.reader.roots()}
            print_json([sweep_document(one, paths[one.root], sizes) for one in workspace.sweeps.sweeps()])
        else:
            _print_sweeps(workspace, workspace.sweeps.sweeps())
        raise typer.Exit(code)


def _show_one(workspace: Workspace, sweep: Sweep, *, as_json: bool) -> None:
    trials = workspace.sweeps.trials(sweep.root, sweep.path)
    runs = runs_of(workspace, sweep.root, sweep.path)
    if as_json:
        members = [trial_document(trial, runs.get(trial.path)) for trial in trials]
        print_json(
            {**sweep_document(sweep, workspace.root(sweep.root).path, workspace.sweeps.sizes()), "members": members}
        )
        return
    for text in filter(None, (sweep.problem, _unranked(sweep))):
        say(text)
    table = Table("rank", "trial", "score", "status", "size", "hyperparameters", box=None, pad_edge=False)
    for trial in trials:
        run = runs.get(trial.path)
        table.add_row(
            "" if trial.rank is None else f"{trial.rank:,}",
            Text(to_text(trial.path)),
            "" if trial.score is None else score_text(sweep.objective.name, trial.score),
            trial.status.value,
            "nothing" if run is None else size_text(run.bytes),
            Text(trial.problem or ", ".join(f"{name}={value}" for name, value in trial.params)),
        )
    stdout.print(table)


def _unranked(sweep: Sweep) -> str | None:
    if sweep.objective.direction is not None or not sweep.trials:
        return None
    return "No file tells which scores are better, so that no trial has a rank."


def _print_sweeps(workspace: Workspace, found: tuple[Sweep, ...]) -> None:
    table = Table("sweep", "tuner", "trials", "best trial", "score", "size", box=None, pad_edge=False)
    sizes = workspace.sweeps.sizes()
    for sweep in found:
        score = sweep.best_score
        table.add_row(
            Text(to_text(sweep.path) or "."),
            sweep.kind.value,
            f"{sweep.trials:,}",
            Text("" if sweep.best is None else to_text(sweep.best)),
            "" if score is None else score_text(sweep.objective.name, score),
            size_text(sizes.get((sweep.root, sweep.path), 0)),
        )
    stdout.print(table if found else "No sweeps.")
