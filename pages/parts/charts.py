"""The two charts: a run's saves over time, and a checkpoint's bytes by layer."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from core.base.facts import Contents, Role, Variable
from core.base.records import Checkpoint, Health
from pages.parts.frame import format as fmt
from pages.parts.frame import links
from pages.parts.frame.text import html, shown

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
_ORDER = (Health.OK, Health.WRITING, Health.WARNING, Health.ERROR)
_SMALLEST, _GREATEST = 9, 22  # pixels
_TILES = 400
_SVG_LIMIT = 2_000


def saves(members: Sequence[Checkpoint], now: datetime, *, key: str) -> None:
    """A point for each checkpoint: time across, step (or number of the save) up, colour health, shape contents, size
    bytes. A click opens the checkpoint. At most LIMIT points, the newest.
    """
    newest = sorted(members, key=lambda item: item.saved_at)[-LIMIT:]
    by_step = any(item.facts.step for item in newest)
    heights = [item.facts.step.value if item.facts.step else None for item in newest] if by_step else None
    ups = heights if heights is not None else list(range(1, len(newest) + 1))
    sizes = _marker_sizes([item.bytes for item in newest])
    groups: dict[tuple[Health, Contents], list[int]] = defaultdict(list)
    for index, item in enumerate(newest):
        groups[item.health, item.facts.contents].append(index)
    # WebGL draws many points faster, but browsers without a graphics driver have none.
    kind = go.Scattergl if len(newest) > _SVG_LIMIT else go.Scatter
    figure = go.Figure()
    for (health, contents), indices in sorted(groups.items(), key=lambda group: _ORDER.index(group[0][0])):
        figure.add_trace(
            kind(
                x=[fmt.local(newest[index].saved_at) for index in indices],
                y=[ups[index] for index in indices],
                mode="markers",
                name=f"{fmt.HEALTH[health]}, {fmt.CONTENTS[contents]}",
                marker={
                    "color": _COLORS[health],
                    "symbol": _SYMBOLS[contents],
                    "size": [sizes[index] for index in indices],
                    "line": {"width": 1, "color": "rgba(128,128,128,0.6)"},
                    "opacity": 0.9,
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
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
        xaxis={"title": f"saved ({fmt.zone_name()})"},
        yaxis={"title": "step" if by_step else "number of the save", "tickformat": ",d", "rangemode": "tozero"},
        clickmode="event+select",
    )
    alt = f"{fmt.count(len(newest), 'save')} over time, coloured by health"
    event = st.plotly_chart(
        figure, key=key, on_select="rerun", selection_mode="points", config={"displayModeBar": False}, alt=alt
    )
    points = event.selection.points
    if points and 0 <= (index := _index(points[0])) < len(newest):
        links.open_checkpoint(newest[index])


def layers(variables: Sequence[Variable]) -> None:
    """Bytes as a treemap: roles, in them layers, in these variables; coloured by role."""
    tiles = _tiles(variables)
    figure = go.Figure(
        go.Treemap(
            ids=[tile.id for tile in tiles],
            labels=[f"{html(tile.label)}, {fmt.size(tile.bytes)}" for tile in tiles],
            parents=[tile.parent for tile in tiles],
            values=[tile.bytes for tile in tiles],
            marker={
                "colors": [_ROLE_COLORS[tile.role] for tile in tiles],
                "line": {"width": 1},
                "pad": {"t": 24, "l": 4, "r": 4, "b": 4},
            },
            textfont={"size": 13},
            hoverinfo="label",
            branchvalues="total",
            tiling={"pad": 2},
            root={"color": "rgba(0,0,0,0)"},
        )
    )
    figure.update_layout(height=420, margin={"l": 0, "r": 0, "t": 0, "b": 0})
    st.plotly_chart(
        figure, key="layers", config={"displayModeBar": False}, alt="Bytes of the checkpoint by role and layer"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    id: str
    parent: str
    label: str
    bytes: int
    role: Role


def _tiles(variables: Sequence[Variable]) -> list[_Tile]:
    """The tree of the treemap: a tile for each role and layer, and for each variable where they are not too many."""
    roles: dict[Role, int] = defaultdict(int)
    groups: dict[tuple[Role, str], list[Variable]] = defaultdict(list)
    for variable in variables:
        if variable.bytes:
            roles[variable.role] += variable.bytes
            groups[variable.role, layer_of(shown(variable.name))].append(variable)
    tiles = [_Tile(id=role, parent="", label=fmt.ROLES[role], bytes=size, role=role) for role, size in roles.items()]
    sums = {group: sum(item.bytes for item in members) for group, members in groups.items()}
    greatest = sorted(sums, key=lambda group: -sums[group])
    for role, layer in greatest[:_TILES]:
        tiles.append(_Tile(id=f"{role}:{layer}", parent=role, label=layer, bytes=sums[role, layer], role=role))
        if len(variables) <= _TILES and len(groups[role, layer]) > 1:
            tiles += [
                _Tile(
                    id=f"{role}:{layer}:{shown(item.name)}",
                    parent=f"{role}:{layer}",
                    label=_last(item.name),
                    bytes=item.bytes,
                    role=role,
                )
                for item in groups[role, layer]
            ]
    rest: dict[Role, int] = defaultdict(int)
    for role, layer in greatest[_TILES:]:
        rest[role] += sums[role, layer]
    return tiles + [
        _Tile(id=f"{role}:", parent=role, label="smaller layers", bytes=size, role=role) for role, size in rest.items()
    ]


def layer_of(name: str) -> str:
    """The layer that a variable belongs to: its name without TensorFlow's ending and without the last part."""
    path = name.split("/.", maxsplit=1)[0]
    return path.rpartition("/")[0] or path


def _last(name: str) -> str:
    return name.split("/.", maxsplit=1)[0].rpartition("/")[2]


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
        f"step {fmt.sourced(item.facts.step)}",
        f"saved {fmt.ago(item.saved_at, now)} ({fmt.exact(item.saved_at)})",
        f"{fmt.CONTENTS[item.facts.contents]}, {fmt.size(item.bytes)}",
        f"health: {fmt.HEALTH[item.health]}",
    ]
    return "<br>".join(lines)


def _index(point: object) -> int:
    """The checkpoint's number that a clicked point carries; -1 where it carries none."""
    value = point.get("customdata") if isinstance(point, dict) else None
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
