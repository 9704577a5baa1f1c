"""Runs over one another: their curves of one metric, who is best, and parameters against the metric."""

from collections.abc import Sequence
from datetime import datetime

import plotly.graph_objects as go
import streamlit as st

from core.base.records import Run
from core.services import metrics
from core.services.comparing import Fact, RunComparison, comparable, compare_runs
from core.services.metrics import BestOfSeries
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.text import html, md, shorten, shown
from pages.parts.metrics import choosing
from pages.parts.metrics.curves import Axis, Mark, MarkKind, color, figure
from pages.parts.metrics.ranking import ranked
from pages.parts.metrics.run_picture import lines_of

_CONFIG = {"displayModeBar": False}
_MOST_PARAMETERS = 8


def names(runs: Sequence[Run]) -> list[str]:
    """What runs are called in charts and heads: the end of their paths, as long as it takes to tell them apart."""
    parts = [shown(links.run_name(run.path)).split("/") for run in runs]
    longest = max(map(len, parts), default=1)
    found = ["/".join(one[-1:]) for one in parts]
    for count in range(2, longest + 1):
        found = [
            "/".join(one[-count:]) if found.count(name) > 1 else name for one, name in zip(parts, found, strict=True)
        ]
    return [name if found.count(name) == 1 else f"{name} ({run.root})" for name, run in zip(found, runs, strict=True)]


def curves(runs: Sequence[Run], now: datetime) -> RunComparison:
    """The curves of one metric, the best checkpoint of each run as a star; returns the runs compared by that metric."""
    workspace = service.workspace()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tags, usual = comparable(workspace, runs)
        tag = choosing.metric_box(tags, usual) if tags else None
        if tag is None:
            frame.empty(
                ":material/show_chart:", "No log of these runs tells a metric: docs/metrics.md says what is read."
            )
            return compare_runs(workspace, runs)
        compared = compare_runs(workspace, runs, None if usual is not None and usual.tag == tag else tag)
        found = [metrics.curve(workspace, run.root, run.path, tag) for run in runs]
        there = [one for one in found if one is not None]
        axis, smoothing, is_log = choosing.scale(choosing.axes_of(there))
    lines, marks, called = [], [], names(compared.runs)
    for number, one in enumerate(found):
        if one is not None:
            lines += lines_of(one, color(number), axis, name=called[number])
    for place in ranked(compared):
        star = None if place.best is None else _star(place.number, called[place.number], place.best, axis, now)
        marks += [] if star is None else [star]
    chart = figure(
        lines, marks, axis=axis, smoothing=smoothing, is_log=is_log, revision=f"{tag} {axis} {is_log}", height=420
    )
    st.plotly_chart(chart, key="compared-curves", config=_CONFIG, alt=f"{tag} of {len(there)} runs over {axis}")
    without = [name for name, one in zip(called, found, strict=True) if one is None]
    if without:
        st.caption(f":material/info: Without {md(tag)}: {md(', '.join(without))}.")
    if axis is not Axis.TIME and (others := [one for one in there if one.x_kind.value != axis.value]):
        counted = "epochs" if axis is Axis.STEP else "steps"
        st.caption(f":material/info: {fmt.count(len(others), 'run')} counted by {counted}, not drawn over {axis}s.")
    return compared


def parameters(compared: RunComparison) -> None:
    """Numeric parameters that differ against the metric: lines through all of them, and points of one."""
    scores = [one.score for one in sorted(ranked(compared), key=lambda one: one.number)]
    rows = [row for row in compared.params if row.differs and sum(one is not None for one in row.numbers) > 1]
    if compared.metric is None or not rows or sum(one is not None for one in scores) < 2:
        return
    tag = compared.metric.tag
    with frame.section("Parameters", note=f"Those that are numbers and differ, against the best {md(tag)}."):
        lines, points = st.columns(2)
        with lines:
            st.plotly_chart(
                _parallel(rows, scores, compared), key="parallel", config=_CONFIG, alt="Parallel coordinates"
            )
        with points:
            words = [row.name for row in rows]
            chosen = st.selectbox("Parameter", words, key="parameter", bind="query-params")
            row = rows[words.index(chosen) if chosen in words else 0]
            st.plotly_chart(_scatter(row, scores, compared), key="scatter", config=_CONFIG, alt=f"{tag} by {row.name}")


def _star(number: int, name: str, best: BestOfSeries, axis: Axis, now: datetime) -> Mark | None:
    value = best.value
    x = value.wall_time if axis is Axis.TIME else value.x
    if x is None or (axis is not Axis.TIME and value.x_kind is not None and value.x_kind.value != axis.value):
        return None
    item = best.checkpoint
    hover = (
        name,
        f"best checkpoint {links.local(item.path, item.run)}",
        f"{value.tag} {value.value:.6g}, {value.way.meaning}",
        f"saved {fmt.ago(item.saved_at, now)}, {fmt.size(item.bytes)}",
    )
    return Mark(id=number, x=x, y=value.value, kind=MarkKind.BEST, hover=hover, color=color(number))


def _parallel(rows: Sequence[Fact], scores: Sequence[float | None], compared: RunComparison) -> go.Figure:
    """One line a run, in the run's colour; an axis goes from the lowest value to the highest."""
    assert compared.metric is not None
    axes = [(row.name, row.numbers) for row in rows[:_MOST_PARAMETERS]] + [(compared.metric.tag, tuple(scores))]
    chart = go.Figure()
    for number, name in enumerate(names(compared.runs)):
        values = [numbers[number] for _, numbers in axes]
        chart.add_trace(
            go.Scatter(
                x=[html(shorten(word)) for word, _ in axes],
                y=[_share(value, numbers) for value, (_, numbers) in zip(values, axes, strict=True)],
                mode="lines+markers",
                line={"color": color(number), "width": 2},
                name=html(name),
                hovertext=[
                    "–" if value is None else f"{word} {value:g}" for value, (word, _) in zip(values, axes, strict=True)
                ],
                hoverinfo="text+name",
            )
        )
    for word, numbers in axes:
        known = [value for value in numbers if value is not None]
        for y, value in ((0, min(known)), (1, max(known))):
            chart.add_annotation(
                x=html(shorten(word)), y=y, text=f"{value:g}", showarrow=False, yshift=14 if y else -14
            )
    chart.update_layout(
        height=360,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        showlegend=False,
        yaxis={"visible": False, "range": [-0.15, 1.15]},
    )
    return chart


def _share(value: float | None, numbers: Sequence[float | None]) -> float | None:
    known = [one for one in numbers if one is not None]
    if value is None:
        return None
    return (value - min(known)) / (max(known) - min(known)) if max(known) > min(known) else 0.5


def _scatter(row: Fact, scores: Sequence[float | None], compared: RunComparison) -> go.Figure:
    assert compared.metric is not None
    there = [n for n, score in enumerate(scores) if score is not None and row.numbers[n] is not None]
    known, called = [row.numbers[n] for n in there], names(compared.runs)
    is_log = all(one is not None and one > 0 for one in known) and max(known) >= 100 * min(known)  # type: ignore[type-var,operator]
    chart = go.Figure(
        go.Scatter(
            x=known,
            y=[scores[n] for n in there],
            mode="markers",
            marker={"size": 12, "color": [color(n) for n in there]},
            hovertext=[f"{html(called[n])}<br>{html(row.name)} {row.texts[n]}" for n in there],
            hoverinfo="text+y",
        )
    )
    chart.update_layout(
        height=300,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={"title": html(row.name), "type": "log" if is_log else "linear"},
        yaxis={"title": html(compared.metric.tag)},
    )
    return chart
