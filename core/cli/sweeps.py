"""`sweeps`: which sweeps there are, and the trials of one, the best first."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.base.records import Run
from core.base.sizes import size_text
from core.cli.session import AsJson, Cached, Roots, leaving, opened, print_json, refreshed, say, stdout
from core.services.sweeps import find_sweep, runs_of
from core.services.workspace import Workspace
from core.sweeps.places import score_text
from core.sweeps.records import Sweep, Trial
from waypoint_resume.names import to_text


def sweeps_command(
    sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="Its trials, the best first.")] = None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """List the sweeps of hyperparameters with their best trials, or the trials of one."""
    with leaving(), opened(roots) as workspace:
        code = refreshed(workspace, "sweeps", cached=cached)
        if sweep is not None:
            _show_one(workspace, find_sweep(workspace, sweep), as_json=as_json)
        elif as_json:
            sizes = workspace.sweeps.sizes()
            print_json([sweep_document(workspace, one, sizes) for one in workspace.sweeps.sweeps()])
        else:
            _print_sweeps(workspace, workspace.sweeps.sweeps())
        raise typer.Exit(code)


def sweep_document(workspace: Workspace, sweep: Sweep, sizes: Mapping[tuple[str, str], int]) -> dict[str, object]:
    """A sweep as JSON; sizes are bytes, paths relative to the root."""
    return {
        "root": to_text(workspace.root(sweep.root).path),
        "sweep": to_text(sweep.path) or ".",
        "kind": sweep.kind.value,
        "objective": sweep.objective.name,
        "direction": sweep.objective.direction,
        "trials": sweep.trials,
        "ranked": sweep.ranked,
        "bytes": sizes.get((sweep.root, sweep.path), 0),
        "best": None if sweep.best is None else {"run": to_text(sweep.best), "score": sweep.best_score},
        "problem": sweep.problem,
    }


def trial_document(trial: Trial, run: Run | None) -> dict[str, object]:
    """A trial as JSON; `run` is null where nothing of it lies on the disk but what the tuner wrote."""
    return {
        "run": None if run is None else to_text(run.path),
        "trial": trial.name,
        "status": trial.status.value,
        "score": trial.score,
        "rank": trial.rank,
        "best_step": trial.best_step,
        "params": dict(trial.params),
        "metrics": {metric.name: metric.value for metric in trial.metrics},
        "checkpoints": 0 if run is None else run.checkpoints,
        "bytes": 0 if run is None else run.bytes,
        "needed": trial.needed,
        "problem": trial.problem,
    }


def _show_one(workspace: Workspace, sweep: Sweep, *, as_json: bool) -> None:
    trials = workspace.sweeps.trials(sweep.root, sweep.path)
    runs = runs_of(workspace, sweep.root, sweep.path)
    if as_json:
        members = [trial_document(trial, runs.get(trial.path)) for trial in trials]
        print_json({**sweep_document(workspace, sweep, workspace.sweeps.sizes()), "members": members})
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
