"""Runs over one another: their curves of one metric, who is best, and parameters against the metric."""

import math
from collections.abc import Sequence
from datetime import datetime

import plotly.graph_objects as go
import streamlit as st

from core.base.records import Run
from core.services import metrics
from core.services.comparing import Fact, RunComparison, compare_runs
from core.services.metrics import BestOfSeries, Direction
from pages.parts.frame import answers, frame, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import html, md, shorten, shown
from pages.parts.metrics import choosing
from pages.parts.metrics.curves import COLORS, Axis, Mark, MarkKind, figure
from pages.parts.metrics.run_picture import lines_of
from pages.parts.resume import resume

_CONFIG = {"displayModeBar": False}
_MOST_PARAMETERS = 8


def color(number: int) -> str:
    """The colour of the run at a place of the comparison."""
    return COLORS[number % len(COLORS)]


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
        first = compare_runs(workspace, runs)
        rows = sorted(first.metrics, key=lambda row: -sum(one is not None for one in row.of_runs))
        tag = choosing.metric_box([row.tag for row in rows], first.metric) if rows else None
        if tag is None:
            frame.empty(
                ":material/show_chart:", "No log of these runs tells a metric: docs/metrics.md says what is read."
            )
            return first
        compared = first if first.metric is not None and first.metric.tag == tag else compare_runs(workspace, runs, tag)
        found = [metrics.curve(workspace, run.root, run.path, tag) for run in runs]
        there = [one for one in found if one is not None]
        axis, smoothing, is_log = choosing.scale(choosing.axes_of(there))
    lines, marks, called = [], [], names(compared.runs)
    for number, (one, best) in enumerate(zip(found, compared.best, strict=True)):
        if one is not None:
            lines += lines_of(one, color(number), axis, name=called[number])
        marks += [_star(number, called[number], item, axis, now) for item in _best_of(best, compared)]
    there_marks = [mark for mark in marks if mark is not None]
    chart = figure(
        lines, there_marks, axis=axis, smoothing=smoothing, is_log=is_log, revision=f"{tag} {axis} {is_log}", height=420
    )
    st.plotly_chart(chart, key="compared-curves", config=_CONFIG, alt=f"{tag} of {len(there)} runs over {axis}")
    without = [name for name, one in zip(called, found, strict=True) if one is None]
    if without:
        st.caption(f":material/info: Without {md(tag)}: {md(', '.join(without))}.")
    if axis is not Axis.TIME and (others := [one for one in there if one.x_kind.value != axis.value]):
        counted = "epochs" if axis is Axis.STEP else "steps"
        st.caption(f":material/info: {fmt.count(len(others), 'run')} counted by {counted}, not drawn over {axis}s.")
    return compared


def ranking(compared: RunComparison, now: datetime) -> None:
    """The best checkpoint of each run, the best run first, with the button that hands it over."""
    if compared.metric is None:
        return
    tag, mode = compared.metric.tag, compared.metric.mode
    which = "Lowest" if mode is Direction.MIN else "Highest"
    guessed = ", which is a guess" if compared.metric.is_guess else ""
    with frame.section("Best first", note=f"{which} {md(tag)} at a checkpoint that can be restored{guessed}."):
        for number, run, best in _ranked(compared):
            answers.place(f"best-{number}")
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                _dot(number)
                links.run_link(run.root, run.path)
                if best is None:
                    st.caption(f"no restorable checkpoint with a known {md(tag)}", width="content")
                    continue
                st.markdown(f"**{best.value.value:.6g}**", width="content", help=md(best.value.way.meaning))
                links.checkpoint_link(best.checkpoint)
                st.caption(f"step {fmt.sourced(best.checkpoint.facts.step)}", width="content")
                st.caption(f"saved {fmt.ago(best.checkpoint.saved_at, now)}", width="content")
                frame.health_badge(best.checkpoint.health)
                resume.button(best.checkpoint, key=f"resume-{number}")


def parameters(compared: RunComparison) -> None:
    """Numeric parameters that differ against the metric: lines through all of them, and points of one."""
    scores = [None if best is None else best.value.value for best in map(_first, _bests(compared))]
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


def _dot(number: int) -> None:
    st.html(f'<span style="color:{color(number)};font-size:1.4rem;line-height:1">●</span>', width="content")


def _bests(compared: RunComparison) -> list[Sequence[BestOfSeries]]:
    return [_best_of(best, compared) for best in compared.best]


def _best_of(best: Sequence[BestOfSeries], compared: RunComparison) -> Sequence[BestOfSeries]:
    """The best of a run's series, as one item or none."""
    sign = -1 if compared.metric is not None and compared.metric.mode is Direction.MAX else 1
    return sorted(best, key=lambda one: sign * one.value.value)[:1]


def _first(best: Sequence[BestOfSeries]) -> BestOfSeries | None:
    return best[0] if best else None


def _ranked(compared: RunComparison) -> list[tuple[int, Run, BestOfSeries | None]]:
    sign = -1 if compared.metric is not None and compared.metric.mode is Direction.MAX else 1
    found = [(number, run, _first(_bests(compared)[number])) for number, run in enumerate(compared.runs)]
    return sorted(found, key=lambda one: math.inf if one[2] is None else sign * one[2].value.value)


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
