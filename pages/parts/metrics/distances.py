"""How far the values of two checkpoints lie apart: asked on demand, read in the background, shown as bars."""

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.base.records import Checkpoint
from core.services import distances
from core.services.distances import Distances, LayerDistance, Placed
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, service
from pages.parts.frame.service import CompareJob, VerifyState
from pages.parts.frame.text import html, md, shorten, shown
from pages.parts.metrics.curves import COLORS
from pages.parts.tables.lists import TF_ENDING

EVERY = 1.0  # seconds between looks at what is being read
_BARS, _ROWS, _LISTED = 40, 500, 10
_BAR, _AROUND = 24, 90  # pixels
MEANING = (
    "Reads the values of both once, in the background. Relative: the Euclidean norm of the difference by that of the "
    "first's values, so that 0 is no change and 1 a change as large as the values themselves."
)


def draw(left: Checkpoint, right: Checkpoint) -> None:
    """The question, how far it is, or the answer."""
    with frame.section("How far apart are their values?"):
        for item in (left, right):
            if (why := distances.not_measured(item)) is not None:
                st.caption(f":material/help: {md(why)}")
                return
        pair = distances.placed(service.workspace(), left), distances.placed(service.workspace(), right)
        job = service.current().comparer.last(*pair)
        if job is not None and job.state is not VerifyState.DONE:
            st.fragment(_progress, run_every=EVERY)(*pair)
            return
        if job is not None and job.result is not None:
            _answer(job.result)
        label = f"Compare every value ({fmt.size(left.bytes + right.bytes)})" if job is None else "Compare again"
        if st.button(label, key="distance", icon=":material/difference:"):
            service.current().comparer.submit(*pair)
            st.rerun()
        st.caption(MEANING)


def _progress(left: Placed, right: Placed) -> None:
    job = service.current().comparer.last(left, right)
    if job is None or job.state is VerifyState.DONE:
        st.rerun()
    _bar(job)
    if st.button("Cancel", key="distance_cancel"):
        service.current().comparer.cancel(job.id)
        st.rerun()


def _bar(job: CompareJob) -> None:
    done, total, left = job.progress.bytes_done, job.progress.bytes_total, job.progress.seconds_left
    if job.state is VerifyState.WAITING:
        text = "Waits for another comparison."
    else:
        text = f"{fmt.size(done)} of {fmt.size(total)}" if total else "Starts reading…"
        text += f", about {fmt.span(left)} left" if left is not None else ""
    st.progress(min(1.0, done / total) if total else 0.0, text=text)


def _answer(found: Distances) -> None:
    if found.problem is not None:
        st.warning(f"Not compared: {md(found.problem)}", icon=":material/warning:")
        return
    if not found.variables:
        st.info("They have no variable in common whose values could be compared.", icon=":material/difference:")
    else:
        everything = st.toggle("Also the optimizer's and other variables", key="everything", bind="query-params")
        layers = distances.layers(found, everything=everything)
        equal = sum(not layer.relative for layer in layers)
        same = f", of which {equal:,} did not change" if equal else ", the most changed first"
        st.markdown(f"{fmt.count(len(layers), 'layer')}{same}.")
        st.plotly_chart(
            bars(layers[:_BARS]),
            config={"displayModeBar": False},
            key="distance-bars",
            alt="How much each layer changed, the most changed first",
        )
        if len(layers) > _BARS:
            st.caption(f"and {len(layers) - _BARS:,} layers that changed less, in the table")
        _table(layers)
    _left_out(found)


def bars(layers: Sequence[LayerDistance]) -> go.Figure:
    """A bar for each layer, as long as it changed; the most changed on top. What was all 0 before has no length of its
    own: as long as the longest.
    """
    known = [layer.relative for layer in layers if math.isfinite(layer.relative)]
    longest = max(known, default=0.0) or 1.0
    chart = go.Figure(
        go.Bar(
            x=[layer.relative if math.isfinite(layer.relative) else longest for layer in layers],
            y=list(range(len(layers))),
            orientation="h",
            marker_color=COLORS[0],
            text=[number(layer.relative) for layer in layers],
            textposition="auto",
            customdata=[
                [html(layer.name), number(layer.relative), number(layer.cosine), number(layer.largest)]
                for layer in layers
            ],
            hovertemplate="%{customdata[0]}<br>relative %{customdata[1]}<br>cosine %{customdata[2]}"
            "<br>largest difference %{customdata[3]}<extra></extra>",
        )
    )
    names = [html(shorten(layer.name, 44)) for layer in layers]
    chart.update_layout(height=_AROUND + _BAR * len(layers), margin={"l": 0, "r": 10, "t": 10, "b": 40}, bargap=0.25)
    chart.update_xaxes(title="relative difference", rangemode="tozero", fixedrange=True)
    ticks = list(range(len(layers)))
    chart.update_yaxes(tickvals=ticks, ticktext=names, autorange="reversed", automargin=True, fixedrange=True)
    return chart


def number(value: float | None) -> str:
    """A figure in short; infinite where the first's values are all 0 and the second's are not."""
    return fmt.NONE if value is None else "from 0" if math.isinf(value) else f"{value:.4g}"


def _table(layers: Sequence[LayerDistance]) -> None:
    rows = [
        (
            shown(one.name.removesuffix(TF_ENDING)),
            number(one.relative),
            fmt.NONE if one.cosine is None else f"{one.cosine:.6f}",
            number(one.largest),
            f"{one.count:,}",
            fmt.ROLES[one.role],
        )
        for layer in layers
        for one in layer.variables
    ]
    heads = ["variable", "relative", "cosine", "largest difference", "values", "role"]
    right = {head: st.column_config.TextColumn(alignment="right") for head in heads[1:5]}
    with st.expander(f"Each of {fmt.count(len(rows), 'variable')}"):
        st.dataframe(
            pd.DataFrame(rows[:_ROWS], columns=heads),
            hide_index=True,
            column_config=right,
            key="distance-table",
            alt="Distances of variables",
        )
        if len(rows) > _ROWS:
            st.caption(f"and {len(rows) - _ROWS:,} that changed less")


def _left_out(found: Distances) -> None:
    if any(found.only):
        st.caption(f"{found.only[0]:,} only in the first and {found.only[1]:,} only in the second are not compared.")
    if found.skipped:
        listed = "; ".join(f"{md(name.removesuffix(TF_ENDING))}: {md(why)}" for name, why in found.skipped[:_LISTED])
        more = found.skipped_count - min(_LISTED, len(found.skipped))
        st.caption(f"Not compared: {listed}{f' and {more:,} more' if more else ''}")
    if count := sum(one.non_finite for one in found.variables):
        st.caption(f":material/warning: {fmt.count(count, 'pair')} of values with NaN or infinity are left out.")
