"""The two charts: a run's saves over time, and a checkpoint's bytes by layer."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from core.model import Checkpoint, Contents, Health, Role, Variable
from pages._shared import format, links
from pages._shared.text import html

LIMIT = 5_000  # points: more make the browser slow
_COLORS = {Health.OK: "#2f76c9", Health.WARNING: "#e69f00", Health.ERROR: "#d1453b", Health.WRITING: "#8c98a5"}
_SYMBOLS = {
    Contents.WEIGHTS_ONLY: "circle",
    Contents.WEIGHTS_AND_OPTIMIZER: "diamond",
    Contents.FULL_MODEL: "square",
    Contents.EXPORT: "triangle-up",
    Contents.UNKNOWN: "x",
}
_ROLE_COLORS = {Role.WEIGHT: "#2f76c9", Role.OPTIMIZER: "#e69f00", Role.OTHER: "#8c98a5"}
_SMALLEST, _GREATEST = 9, 22  # pixels
_TILES = 400


def saves(members: Sequence[Checkpoint], now: datetime, *, key: str) -> None:
    """A point for each checkpoint: time across, step (or the number of the save) up, colour health, shape contents, size
    bytes. A click opens the checkpoint. At most LIMIT points, the newest."""
    newest = sorted(members, key=lambda item: item.saved_at)[-LIMIT:]
    by_step = any(item.facts.step for item in newest)
    heights = [item.facts.step.value if item.facts.step else None for item in newest] if by_step else None
    ups = heights if heights is not None else list(range(1, len(newest) + 1))
    sizes = _marker_sizes([item.bytes for item in newest])
    groups: dict[tuple[Health, Contents], list[int]] = defaultdict(list)
    for index, item in enumerate(newest):
        groups[item.health, item.facts.contents].append(index)
    figure = go.Figure()
    for (health, contents), indices in sorted(groups.items()):
        figure.add_trace(
            go.Scattergl(
                x=[newest[index].saved_at for index in indices],
                y=[ups[index] for index in indices],
                mode="markers",
                name=f"{format.HEALTH[health]}, {format.CONTENTS[contents]}",
                marker={
                    "color": _COLORS[health],
                    "symbol": _SYMBOLS[contents],
                    "size": [sizes[index] for index in indices],
                    "line": {"width": 1, "color": "rgba(128,128,128,0.6)"},
                },
                customdata=indices,
                hovertext=[_hover(newest[index], now) for index in indices],
                hoverinfo="text",
            )
        )
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "y": -0.25, "x": 0, "itemsizing": "constant"},
        xaxis={"title": "saved (UTC)"},
        yaxis={"title": "step" if by_step else "number of the save", "tickformat": ",d", "rangemode": "tozero"},
        clickmode="event+select",
    )
    alt = f"{format.count(len(newest), 'save')} over time, coloured by health"
    event = st.plotly_chart(
        figure, key=key, on_select="rerun", selection_mode="points", config={"displayModeBar": False}, alt=alt
    )
    points = event.selection.points
    if points and 0 <= (index := _index(points[0])) < len(newest):
        links.open_checkpoint(newest[index])


def layers(variables: Sequence[Variable]) -> None:
    """Bytes by layer as a treemap: the variables' names as a tree, coloured by role."""
    ids, labels, parents, values, colors, hovers = [""], [""], [""], [0], ["rgba(0,0,0,0)"], [""]
    for (role, layer), size in _layer_bytes(variables).items():
        name = f"{format.ROLES[role]}: {layer}"
        if format.ROLES[role] not in ids:
            ids.append(format.ROLES[role])
            labels.append(format.ROLES[role])
            parents.append("")
            values.append(0)
            colors.append(_ROLE_COLORS[role])
            hovers.append(format.ROLES[role])
        ids.append(name)
        labels.append(f"{html(layer)}<br>{format.size(size)}")
        parents.append(format.ROLES[role])
        values.append(size)
        colors.append(_ROLE_COLORS[role])
        hovers.append(f"{html(layer)}: {format.size(size)}")
    figure = go.Figure(
        go.Treemap(
            ids=ids[1:],
            labels=labels[1:],
            parents=parents[1:],
            values=values[1:],
            marker={"colors": colors[1:], "line": {"width": 1}},
            hovertext=hovers[1:],
            hoverinfo="text",
            branchvalues="remainder",
            tiling={"pad": 2},
        )
    )
    figure.update_layout(height=420, margin={"l": 0, "r": 0, "t": 0, "b": 0})
    st.plotly_chart(figure, key="layers", config={"displayModeBar": False}, alt="Bytes of the checkpoint by role and layer")


def _layer_bytes(variables: Sequence[Variable]) -> dict[tuple[Role, str], int]:
    """Bytes of each layer, the greatest first; the smallest ones of many are put together."""
    sums: dict[tuple[Role, str], int] = defaultdict(int)
    for variable in variables:
        sums[variable.role, _layer(variable.name)] += variable.bytes
    ordered = sorted(sums.items(), key=lambda item: -item[1])
    kept = dict(ordered[:_TILES])
    for (role, _), size in ordered[_TILES:]:
        kept[role, "smaller ones"] = kept.get((role, "smaller ones"), 0) + size
    return kept


def _layer(name: str) -> str:
    """The layer that a variable belongs to: its name without the last part and TensorFlow's own endings."""
    path = name.split("/.")[0]
    return path.rpartition("/")[0] or path


def _marker_sizes(sizes: Sequence[int]) -> list[float]:
    """Diameters whose areas grow with the bytes, within bounds that stay readable."""
    roots = np.sqrt(np.asarray(sizes, dtype=np.float64))
    greatest = float(roots.max()) if len(roots) else 0.0
    if greatest == 0:
        return [_SMALLEST] * len(roots)
    return [float(value) for value in _SMALLEST + (_GREATEST - _SMALLEST) * roots / greatest]


def _hover(item: Checkpoint, now: datetime) -> str:
    lines = [
        f"<b>{html(links.local(item.path, item.run))}</b>",
        f"step {format.sourced(item.facts.step)}",
        f"saved {format.ago(item.saved_at, now)} ({format.exact(item.saved_at)})",
        f"{format.CONTENTS[item.facts.contents]}, {format.size(item.bytes)}",
        f"health: {format.HEALTH[item.health]}",
    ]
    return "<br>".join(lines)


def _index(point: object) -> int:
    """The checkpoint's number that a clicked point carries; -1 where it carries none."""
    value = point.get("customdata") if isinstance(point, dict) else None
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
