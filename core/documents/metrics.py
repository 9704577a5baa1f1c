"""What runs achieved as JSON: the answers of `runs`, `metrics`, `compare` and `latest --best`."""

import math
from collections.abc import Iterable, Mapping

from core.base.records import Run
from core.documents.checkpoints import checkpoint_document
from core.services.comparing import Fact, RunComparison
from core.services.metrics import (
    BestMetric,
    BestOfSeries,
    Curve,
    MetricPoint,
    MetricProblem,
    Metrics,
    RunMetric,
    RunParam,
    ValueAt,
    shortest,
)
from waypoint_resume.names import to_text


def run_document(
    run: Run,
    root_path: str,
    metrics: Iterable[RunMetric],
    params: Iterable[RunParam],
    levels: Mapping[str, str],
) -> dict[str, object]:
    """One element of the answer of `runs`."""
    return {
        "root": to_text(root_path),
        "run": to_text(run.path),
        "status": run.status,
        "last_saved": None if run.last_saved is None else run.last_saved.isoformat().replace("+00:00", "Z"),
        "checkpoints": run.checkpoints,
        "restorable": run.restorable,
        "bytes": run.bytes,
        "levels": dict(levels),
        "metrics": {one.tag: metric_document(one) for one in metrics},
        "params": params_document(params),
        "tags": list(run.tags),
        "note": run.note,
        "owner": run.owner,
    }


def metric_document(metric: RunMetric) -> dict[str, object]:
    """A metric in short; numbers that are not finite are null."""
    best = metric.best
    return {
        "last": _number(metric.last.value),
        "best": None if best is None else _number(best.value),
        "best_at": None if best is None else _place(metric.x_kind, best),
        "mode": metric.mode,
        "count": metric.count,
        "source": metric.source,
    }


def params_document(params: Iterable[RunParam]) -> dict[str, object]:
    """Parameters by name: numbers as such, all others as text."""
    return {one.name: _param(one) for one in params}


def _param(param: RunParam) -> object:
    number = param.number
    if number is None or not math.isfinite(number):
        return param.text
    return int(number) if param.text.lstrip("-").isdecimal() and number.is_integer() else number


def metrics_document(run: Run, root_path: str, found: Metrics, curves: Mapping[str, Curve]) -> dict[str, object]:
    """The answer of `metrics`; points of the metrics whose curves are given."""
    return {
        "root": to_text(root_path),
        "run": to_text(run.path),
        "best_metric": best_metric_document(found.best),
        "metrics": {one.tag: metric_document(one) for one in found.metrics},
        "params": params_document(found.params),
        "points": {tag: _curve(one) for tag, one in curves.items()},
        "problems": [_problem(one) for one in found.problems],
        "is_waiting": found.is_waiting,
    }


def best_metric_document(metric: BestMetric | None) -> dict[str, object] | None:
    """The metric that tells the best; null where nobody knows one."""
    return None if metric is None else {"name": metric.tag, "mode": metric.mode.value, "told_by": metric.told_by.value}


def best_document(best: BestOfSeries, root_path: str) -> dict[str, object]:
    """One element of the answer of `latest --best`."""
    return {
        "root": to_text(root_path),
        "run": to_text(best.checkpoint.run),
        "series": best.series,
        "metric": best_metric_document(best.metric),
        "value": value_document(best.value),
        "checkpoint": checkpoint_document(best.checkpoint, root_path),
    }


def value_document(value: ValueAt) -> dict[str, object]:
    """A value at a checkpoint and the way it was found."""
    place = {} if value.x is None or value.x_kind is None else {value.x_kind.value: value.x}
    return {"value": _number(value.value), "way": value.way.value, "at": place or None, "wall_time": value.wall_time}


def comparison_document(found: RunComparison, roots: Mapping[str, str]) -> dict[str, object]:
    """The answer of `compare`; `roots` gives the paths of roots."""
    runs = zip(found.runs, found.best, strict=True)
    return {
        "metric": best_metric_document(found.metric),
        "runs": [
            {
                "root": to_text(roots[run.root]),
                "run": to_text(run.path),
                "best": [best_document(one, roots[run.root]) for one in best],
            }
            for run, best in runs
        ],
        "metrics": {
            row.tag: [None if one is None else metric_document(one) for one in row.of_runs] for row in found.metrics
        },
        "params": [_fact(fact) for fact in found.params],
        "facts": [_fact(fact) for fact in found.facts],
    }


def _fact(fact: Fact) -> dict[str, object]:
    return {"name": fact.name, "differs": fact.differs, "values": list(fact.texts)}


def _curve(curve: Curve) -> dict[str, object]:
    branches = [
        {
            "attempt": branch.attempt,
            curve.x_kind.value: branch.x.tolist(),
            "wall_time": [_number(one) for one in branch.wall_time.tolist()],
            "value": [_number(one) for one in branch.values.tolist()],
        }
        for branch in curve.branches
    ]
    return {"count": curve.count, "is_thinned": curve.is_thinned, "source": curve.source, "branches": branches}


def _problem(problem: MetricProblem) -> dict[str, object]:
    told = problem._asdict()
    return {**told, "kind": problem.kind.value}


def _place(x_kind: str, point: MetricPoint) -> dict[str, object] | None:
    step = point.step
    if step is None:
        return None
    return {x_kind: int(step) if step.is_integer() else step}


def _number(value: float | None) -> float | None:
    return shortest(value) if value is not None and math.isfinite(value) else None
