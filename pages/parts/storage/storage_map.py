"""The treemap of disk space: roots, in them runs, in these checkpoints. A click opens the place."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from core.base.facts import Contents
from core.services.survey import Survey, Tile, TileKind
from pages.parts.frame import format as fmt
from pages.parts.frame import links, service, url_state
from pages.parts.frame.text import html, shorten
from waypoint_resume.names import short_id, to_text

_CONTENTS = {
    Contents.WEIGHTS_AND_OPTIMIZER: ("blue", "#2f76c9"),
    Contents.FULL_MODEL: ("violet", "#7a52b8"),
    Contents.WEIGHTS_ONLY: ("green", "#25804f"),
    Contents.EXPORT: ("orange", "#b35a12"),
    Contents.UNKNOWN: ("red", "#c23b3b"),
}
_GREY, _FRAME = "#6b7683", "#46515c"
_TEXT = "#ffffff"  # has a contrast of at least 4.5 on each of these, in both themes
_HEIGHT, _SMALLEST = 480, 9  # pixels: of the map, and of letters that are worth drawing


def draw(survey: Survey, looked: str) -> None:
    """The treemap, what its colours mean, and when it was added up."""
    words = [f":{name}[■] {fmt.CONTENTS[contents]}" for contents, (name, _) in _CONTENTS.items()]
    st.caption(
        f"{looked} Area: bytes on disk. Click a place to open it. " + ", ".join([*words, ":gray[■] other files"])
    )
    stamp = "" if survey.audited is None else survey.audited.at.isoformat()
    figure = _figure(short_id(str(survey.number), stamp), survey.tiles)
    event = st.plotly_chart(
        figure,
        key="map",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
        alt="Bytes on disk by root, run and checkpoint",
    )
    if event.selection.points:
        _open(event.selection.points[0], survey.tiles)


@st.cache_resource(max_entries=2, show_spinner=False)
def _figure(stamp: str, _tiles: Sequence[Tile]) -> go.Figure:  # noqa: ARG001 - the cache compares it
    roots = {root.id: to_text(root.path) for root in service.workspace().reader.roots()}
    figure = go.Figure(
        go.Treemap(
            ids=[tile.id for tile in _tiles],
            parents=[tile.parent for tile in _tiles],
            labels=[_label(tile, roots) for tile in _tiles],
            values=[tile.allocated for tile in _tiles],
            marker={
                "colors": [_color(tile) for tile in _tiles],
                "line": {"width": 1},
                "pad": {"t": 22, "l": 3, "r": 3, "b": 3},
            },
            textfont={"size": 13, "color": _TEXT},
            hoverinfo="label",
            branchvalues="total",
            tiling={"pad": 2},
            root={"color": "rgba(0,0,0,0)"},
        )
    )
    figure.update_layout(
        height=_HEIGHT, margin={"l": 0, "r": 0, "t": 0, "b": 0}, uniformtext={"minsize": _SMALLEST, "mode": "hide"}
    )
    return figure


def _label(tile: Tile, roots: dict[str, str]) -> str:
    between = ", " if tile.kind in {TileKind.ROOT, TileKind.RUN} else "<br>"
    return f"{html(shorten(_name(tile, roots)))}{between}{fmt.size(tile.allocated)}"


def _name(tile: Tile, roots: dict[str, str]) -> str:
    match tile.kind:
        case TileKind.ROOT:
            return roots.get(tile.root, tile.root)
        case TileKind.RUN:
            return links.run_name(tile.run or "")
        case TileKind.CHECKPOINT:
            return links.local(tile.path or "", tile.run or "")
        case TileKind.REST:
            return f"{fmt.count(tile.count, 'smaller checkpoint')} and other files" if tile.count else "other files"
        case TileKind.RUNS:
            return fmt.count(tile.count, "smaller run")
        case TileKind.OUTSIDE:
            return "outside of runs"


def _color(tile: Tile) -> str:
    if tile.contents is not None:
        return _CONTENTS[tile.contents][1]
    return _FRAME if tile.kind in {TileKind.ROOT, TileKind.RUN} else _GREY


def _open(point: object, tiles: Sequence[Tile]) -> None:
    """Go where a clicked rectangle leads; roots and sums lead nowhere."""
    name = point.get("id") if isinstance(point, dict) else None
    tile = next((tile for tile in tiles if tile.id == name), None)
    if tile is None or tile.run is None:
        return
    query = links.run_query(tile.root, tile.run)
    if tile.path is None:
        url_state.leave_for(links.RUN, query)
    url_state.leave_for(links.CHECKPOINT, {**query, "path": to_text(tile.path)})
