"""What decisions ask of the best: its value up to a checkpoint, values that a policy judges by, why one stays."""

import math
from collections.abc import Collection

from core.base.records import Checkpoint
from core.catalog.rows import run_id
from core.catalog.run_metrics import load_metrics
from core.metrics.at_checkpoint import shortest, values_until
from core.metrics.best import BestMetric
from core.services.curves import curve
from core.services.metrics import best_checkpoints, best_metric, metrics, values_at_checkpoints
from core.services.workspace import Workspace

__all__ = ["best_until", "values_asked", "why_best"]


def best_until(workspace: Workspace, checkpoint: Checkpoint) -> tuple[BestMetric, float] | None:
    """The metric that tells the best of a checkpoint's run, and its best value up to that checkpoint, of the attempts
    that led to it; None where nothing tells them.
    """
    root_id, run = checkpoint.root, checkpoint.run
    metric = best_metric(workspace, root_id, run, [one.tag for one in metrics(workspace, root_id, run).metrics])
    if metric is None:
        return None
    at = values_at_checkpoints(workspace, root_id, run, [metric.tag])[checkpoint.path].get(metric.tag)
    found = None if at is None or at.x is None else curve(workspace, root_id, run, metric.tag, full=True)
    if at is None or at.x is None or found is None:
        return None if at is None else (metric, at.value)
    values = [value for value in values_until(found, at) if math.isfinite(value)]
    return (metric, shortest(metric.mode.best(values))) if values else None


def values_asked(workspace: Workspace, root_id: str, run: str, names: Collection[str]) -> dict[str, dict[str, float]]:
    """The values of metrics that are named in small letters at a run's checkpoints, by path and such a name. A value of
    an earlier time than the checkpoint's is none of it.
    """
    with workspace.engine.connect() as connection:
        known = load_metrics(connection, [run_id(root_id, run)]).get(run_id(root_id, run), ())
    tags = [one.tag for one in known if one.tag.lower() in names]
    found = values_at_checkpoints(workspace, root_id, run, tags) if tags else {}
    return {
        path: {tag.lower(): one.value for tag, one in values.items() if one.way.is_of_it and math.isfinite(one.value)}
        for path, values in found.items()
    }


def why_best(workspace: Workspace, root_id: str, run: str, metric: BestMetric) -> dict[str, str]:
    """Of the best checkpoint of each series by a metric why it is that, by path."""
    found = best_checkpoints(workspace, root_id, run, metric)
    why = f"the best: the {metric.mode.word} {metric.tag}"
    return {one.checkpoint.path: f"{why}, {shortest(one.value.value):.6g}" for one in found}
