"""What a chart of metrics shows: which metrics, over what, how smooth. It all stands in the URL."""

from collections.abc import Sequence

import streamlit as st

from core.services.metrics import BestMetric, Curve, XKind
from pages.parts.metrics.curves import Axis

_MOST = 8  # curves at first sight


def at_first(tags: Sequence[str], best: BestMetric | None) -> list[str]:
    """The metrics that are shown until somebody chooses: the one that tells the best, and the same of training."""
    main = best.tag if best is not None and best.tag in tags else next(iter(tags), None)
    if main is None:
        return []
    of_training = (main.replace("val_", "", 1), main.replace("validation", "train", 1))
    return [main, *(tag for tag in of_training if tag != main and tag in tags)]


def metrics_box(tags: Sequence[str], best: BestMetric | None) -> list[str]:
    """The box in which metrics are chosen."""
    return st.multiselect(
        "Metrics",
        tags,
        default=at_first(tags, best),
        key="metrics",
        bind="query-params",
        max_selections=_MOST,
        placeholder="Choose metrics",
    )


def metric_box(tags: Sequence[str], best: BestMetric | None) -> str | None:
    """The box in which the one metric is chosen by which runs are compared."""
    first = best.tag if best is not None and best.tag in tags else next(iter(tags), None)
    place = list(tags).index(first) if first is not None else None
    return st.selectbox("Metric", tags, index=place, key="metric", bind="query-params", width=320)


def scale(axes: Sequence[Axis]) -> tuple[Axis, float, bool]:
    """What lies across (of those that the data allow), the smoothing, and whether the scale is logarithmic."""
    words = [str(axis) for axis in axes]
    across: str | None = words[0]
    if len(words) > 1:
        across = st.segmented_control(
            "Across", words, default=words[0], key="across", bind="query-params", required=True
        )
    smoothing = st.slider("Smoothing", 0.0, 0.95, 0.0, 0.05, key="smooth", bind="query-params", width=160)
    is_log = st.toggle("Log scale", key="log", bind="query-params")
    return Axis(across if across in words else words[0]), smoothing, is_log


def axes_of(curves: Sequence[Curve]) -> list[Axis]:
    """What curves can be drawn over: the kind that most of them count, the other one, time where any has times."""
    steps = sum(one.x_kind is XKind.STEP for one in curves)
    kinds = [Axis.STEP, Axis.EPOCH] if 2 * steps >= len(curves) else [Axis.EPOCH, Axis.STEP]
    there = {one.x_kind.value for one in curves}
    found = [axis for axis in kinds if axis.value in there]
    if any((branch.wall_time == branch.wall_time).any() for one in curves for branch in one.branches):
        found.append(Axis.TIME)
    return found or [Axis.STEP]
