"""`runs`, `metrics` and `compare`: what runs achieved, and how they differ."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.base.records import Run
from core.base.sizes import size_text
from core.cli.options import AsJson, Cached, Roots, RunName, Where
from core.cli.searching import say_guessed_layouts, say_unknown
from core.cli.session import NOTHING_RESTORABLE, looked_at, print_json, say, stdout
from core.documents.metrics import best_document, comparison_document, metrics_document, run_document
from core.services import comparing, metrics
from core.services.comparing import Fact, RunComparison
from core.services.metrics import BestOfSeries, MetricPoint, Metrics, RunMetric
from core.services.runs import RunFilter
from core.services.searching import run_sort, search_runs
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

MetricName = Annotated[str | None, typer.Option("--metric", metavar="NAME", help="By which metric.")]


def runs_command(
    where: Where = "",
    sort: Annotated[
        str,
        typer.Option(metavar="FIELD", help="saved, size, path, a metric, a parameter …; -FIELD: greatest first."),
    ] = "-saved",
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """List runs with their best values, parameters and tags."""
    with looked_at(roots, "runs", cached=cached, all_metrics=True) as (workspace, code):
        now = workspace.now()
        search, (by, is_descending) = search_runs(where, now), run_sort(workspace, sort)
        found = workspace.reader.runs(RunFilter(search=search), now, sort=by, descending=is_descending, limit=None)
        say_unknown(workspace, search, found.items)
        told = metrics.metrics_of_runs(workspace, found.items)
        if as_json:
            paths = {root.id: root.path for root in workspace.reader.roots()}
            print_json(
                [
                    run_document(run, paths[run.root], one.metrics, one.params, one.levels)
                    for run, one in zip(found.items, told, strict=True)
                ]
            )
        else:
            say_guessed_layouts(workspace)
            table = Table("run", "status", "checkpoints", "size", "best", "tags", box=None, pad_edge=False)
            for run, one in zip(found.items, told, strict=True):
                table.add_row(
                    Text(to_text(run.path)),
                    run.status,
                    f"{run.checkpoints:,}",
                    size_text(run.bytes),
                    Text(_best_value(one)),
                    Text(" ".join(run.tags)),
                )
            stdout.print(table if found.items else "No runs.")
        raise typer.Exit(code)


def metrics_command(
    run: RunName,
    tags: Annotated[
        list[str] | None, typer.Option("--points", metavar="NAME", help="Also the points of this metric; repeated.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="All points, from the files, and not only some hundred.")
    ] = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """What a run logged: each metric with its last and best value, and its parameters."""
    with looked_at(roots, "metrics", cached=cached, all_metrics=True) as (workspace, code):
        found = workspace.find_run(run)
        told = metrics.metrics(workspace, found.root, found.path)
        curves = metrics.curves(workspace, found.root, found.path, tags or (), full=full)
        if as_json:
            print_json(metrics_document(found, workspace.root(found.root).path, told, curves))
        else:
            _print_metrics(told)
            for tag, curve in curves.items():
                stdout.print(f"{tag}, {curve.x_kind.value}: value", markup=False, highlight=False)
                for branch in curve.branches:
                    lines = (f"  {point.x:,}: {point.value:.6g}" for point in branch.points())
                    stdout.print("\n".join(lines), markup=False, highlight=False)
        for problem in told.problems:
            at = "" if problem.offset is None else f" at byte {problem.offset:,}"
            say(f"{problem.path}{at}: {problem.problem}")
        raise typer.Exit(code)


def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN…", help="Two runs or more.")],
    metric: MetricName = None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Compare runs: parameters and facts that differ, metrics, and the best checkpoint of each."""
    if not 2 <= len(runs) <= comparing.MOST_RUNS:
        raise typer.BadParameter(f"must be 2 to {comparing.MOST_RUNS} runs", param_hint="RUN")
    with looked_at(roots, "compare", cached=cached, all_metrics=True) as (workspace, code):
        found = comparing.compare_runs(workspace, [workspace.find_run(run) for run in runs], metric)
        if as_json:
            print_json(comparison_document(found, {root.id: root.path for root in workspace.reader.roots()}))
        else:
            _print_comparison(found)
        raise typer.Exit(code)


def show_best(workspace: Workspace, run: Run, metric: str | None, *, as_json: bool) -> int:
    """Show the best checkpoint of each series; returns the exit code where there is none."""
    wanted = None if metric is None else metrics.best_metric(workspace, run.root, run.path, (), metric)
    if metric is not None and wanted is None:
        raise typer.BadParameter(
            f"{metric} does not tell which values are better; say so: tag {to_text(run.path)} --best-metric {metric} "
            "--mode min",
            param_hint="--metric",
        )
    found = metrics.best_checkpoints(workspace, run.root, run.path, wanted)
    if as_json:
        print_json([best_document(one, workspace.root(run.root).path) for one in found])
    for one in () if as_json else found:
        stdout.print(_best_line(one), markup=False, highlight=False)
    if not found:
        say(f"No value of a metric is known of a restorable checkpoint of {to_text(run.path)}.")
    return 0 if found else NOTHING_RESTORABLE


def _best_line(best: BestOfSeries) -> str:
    """The best checkpoint of a series in a line: `a/epoch-03: val_loss 0.3 (same epoch), the lowest`."""
    guess = ", a guess" if best.metric.is_guess else ""
    value = f"{best.metric.tag} {best.value.value:.6g} ({best.value.way.meaning})"
    return f"{to_text(best.checkpoint.path)}: {value}, the {best.metric.mode.word}{guess}"


def _best_value(one: Metrics) -> str:
    metric = None if one.best is None else one.metric(one.best.tag)
    best = None if metric is None else metric.best
    return "" if metric is None or best is None or best.value is None else f"{metric.tag} {best.value:.6g}"


def _print_metrics(found: Metrics) -> None:
    table = Table("metric", "last", "best", "at", "points", "source", box=None, pad_edge=False)
    for one in found.metrics:
        best = one.best
        table.add_row(
            Text(one.tag),
            _value(one.last),
            "" if best is None else f"{_value(best)} ({one.mode})",
            "" if best is None or best.step is None else f"{one.x_kind} {best.step:,.0f}",
            f"{one.count:,}",
            metrics.source_label(one.source),
        )
    stdout.print(table if found.metrics else "No metrics.")
    if found.params:
        _print_pairs("parameter", [(one.name, [one.text]) for one in found.params], ["value"])
    if found.best is not None:
        how = {"run": "as said for this run", "project": "as the settings say", "guess": "a guess"}
        text = f"The best is told by {found.best.tag} ({found.best.mode.value}), {how[found.best.told_by.value]}."
        stdout.print(text, markup=False, highlight=False)
    if found.is_waiting:
        say("Not all that this run logged was read yet.")


def _value(point: MetricPoint) -> str:
    return "not finite" if point.value is None else f"{point.value:.6g}"


def _print_comparison(found: RunComparison) -> None:
    names = [to_text(run.path) for run in found.runs]
    _print_pairs("parameter", _texts(fact for fact in found.params if fact.differs), names)
    alike = [fact.name for fact in found.params if not fact.differs]
    if alike:
        stdout.print(f"The same: {', '.join(alike)}.", markup=False, highlight=False)
    _print_pairs("", _texts(fact for fact in found.facts if fact.differs), names)
    _print_pairs("best value", [(row.tag, [_best(one) for one in row.of_runs]) for row in found.metrics], names)
    for best in (one for series in found.best for one in series):
        stdout.print(_best_line(best), markup=False, highlight=False)


def _best(metric: RunMetric | None) -> str:
    if metric is None:
        return ""
    return f"last {_value(metric.last)}" if metric.best is None else _value(metric.best)


def _texts(facts: Iterable[Fact]) -> list[tuple[str, list[str]]]:
    return [(fact.name, ["" if text is None else text for text in fact.texts]) for fact in facts]


def _print_pairs(title: str, rows: list[tuple[str, list[str]]], names: list[str]) -> None:
    if not rows:
        return
    table = Table(title, box=None, pad_edge=False)
    for name in names:
        table.add_column(Text(name))
    for name, texts in rows:
        table.add_row(Text(name), *(Text(text) for text in texts))
    stdout.print(table)
