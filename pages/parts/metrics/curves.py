"""Curves of metrics with marks on them, as one Plotly figure: pure, and alike on each page that shows one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import plotly.graph_objects as go

from pages.parts.frame.text import html

GREEN, RED, GRAY = "#2a8a57", "#d1453b", "#8c98a5"
# Distinct in both themes; a run keeps its colour from chart to table.
COLORS = ("#2f76c9", "#d97a2b", "#2a8a57", "#8d63cf", "#c9a227", "#2b9fae", "#d1453b", "#7d8896", "#c15f9e", "#5d7c2f")
DASHES = ("solid", "dot", "dash", "dashdot")
# More points make the browser slow; WebGL draws many faster, but browsers without a graphics driver have none.
_SVG_LIMIT = 5_000


def color(number: int) -> str:
    """The colour of the thing at a place of a chart."""
    return COLORS[number % len(COLORS)]


class Axis(StrEnum):
    """What lies across."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


class MarkKind(StrEnum):
    """What a mark tells of the checkpoint that it stands for."""

    RESTORABLE = "restorable"
    BROKEN = "not restorable"
    SET_ASIDE = "set aside"
    BEST = "best"


_MARKS: Mapping[MarkKind, Mapping[str, Any]] = {
    MarkKind.RESTORABLE: {"symbol": "circle", "color": GREEN, "size": 10},
    MarkKind.BROKEN: {"symbol": "x", "color": RED, "size": 10},
    MarkKind.SET_ASIDE: {"symbol": "circle-open", "color": GRAY, "size": 10},
    MarkKind.BEST: {"symbol": "star", "color": GREEN, "size": 16},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line: its name in the legend, `x` (steps, epochs, or seconds since the epoch), values, and how it is drawn."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    color: str
    dash: str = "solid"
    is_branch: bool = False  # an attempt that was given up: thin


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point that can be clicked: `id` comes back from the click, `hover` is the lines that are shown over it."""

    id: int
    x: float
    y: float
    kind: MarkKind
    hover: Sequence[str]
    color: str | None = None


def figure(
    curves: Sequence[Curve],
    marks: Sequence[Mark],
    *,
    axis: Axis,
    smoothing: float = 0.0,
    is_log: bool = False,
    here: tuple[float, str] | None = None,
    revision: str,
    height: int = 360,
) -> go.Figure:
    """The chart. `smoothing` (0 to 0.99) draws a running mean over the faint line; `here` is a vertical line with its
    words; while `revision` stays the same, zoom and selection outlive new points.
    """
    drawn = go.Figure()
    # The marks come first, though drawn on top: of two at one place the first is hovered and clicked.
    for kind in MarkKind:
        found = [mark for mark in marks if mark.kind is kind]
        if found:
            drawn.add_trace(_marked(found, kind, axis))
    for curve in curves:
        for trace in _traces(curve, axis, smoothing):
            drawn.add_trace(trace)
    if here is not None:
        drawn.add_vline(x=_across(here[0], axis), line={"color": GREEN, "width": 1})
        ends = [x for curve in curves for x in (*curve.x[:1], *curve.x[-1:])]
        is_left = 2 * here[0] < min(ends, default=0) + max(ends, default=0)
        side = {"xanchor": "left", "xshift": 4} if is_left else {"xanchor": "right", "xshift": -4}
        drawn.add_annotation(x=_across(here[0], axis), y=1, yref="paper", text=html(here[1]), showarrow=False, **side)
    title = {Axis.STEP: "step", Axis.EPOCH: "epoch", Axis.TIME: "time (UTC)"}[axis]
    drawn.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
        xaxis={"title": title, "tickformat": None if axis is Axis.TIME else ",~f"},
        yaxis={"type": "log" if is_log else "linear"},
        hovermode="closest",
        clickmode="event+select",
        uirevision=revision,
    )
    return drawn


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """A running mean that forgets by `weight`, as TensorBoard draws it: the beginning is not drawn towards zero."""
    mean, seen = 0.0, 0
    out: list[float | None] = []
    for value in values:
        if value is None or math.isnan(value):  # a gap stays a gap
            out.append(None)
            continue
        mean = mean * weight + value * (1 - weight)
        seen += 1
        out.append(mean / (1 - weight**seen))
    return out


def _traces(curve: Curve, axis: Axis, smoothing: float) -> list[go.Scatter]:
    kind = go.Scattergl if len(curve.x) > _SVG_LIMIT else go.Scatter
    across = [_across(x, axis) for x in curve.x]
    name = html(curve.name)
    mode = "lines+markers" if len(curve.x) == 1 else "lines"
    line = {"color": curve.color, "dash": curve.dash, "width": 1.2 if curve.is_branch else 2}
    shown = {
        "mode": mode,
        "name": name,
        "legendgroup": name,
        "hovertemplate": "%{y:.6g}<extra>%{fullData.name}</extra>",
    }
    if not smoothing:
        return [kind(x=across, y=list(curve.y), line=line, **shown)]
    raw = {"line": {**line, "width": 1}, "opacity": 0.25, "showlegend": False, "hoverinfo": "skip"}
    faint = kind(x=across, y=list(curve.y), mode=mode, name=name, legendgroup=name, **raw)
    return [faint, kind(x=across, y=smoothed(curve.y, smoothing), line=line, **shown)]


def _marked(marks: Sequence[Mark], kind: MarkKind, axis: Axis) -> go.Scatter:
    style = dict(_MARKS[kind])
    colors = [mark.color or style["color"] for mark in marks]
    return go.Scatter(
        x=[_across(mark.x, axis) for mark in marks],
        y=[mark.y for mark in marks],
        mode="markers",
        name=str(kind),
        marker={**style, "color": colors, "line": {"width": 1.5, "color": "rgba(255,255,255,0.8)"}},
        selected={"marker": {"size": style["size"] + 6, "opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        zorder=2,
        legendrank=2000,
        customdata=[mark.id for mark in marks],
        hovertext=["<br>".join(map(html, mark.hover)) for mark in marks],
        hoverinfo="text",
    )


def _across(x: float, axis: Axis) -> float | datetime:
    return datetime.fromtimestamp(x, UTC) if axis is Axis.TIME else x
