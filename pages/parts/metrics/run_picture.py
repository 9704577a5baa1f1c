"""The picture of a run: the chosen metrics, attempts as branches, and each checkpoint as a mark on the curve."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from core.base.records import Checkpoint, Root, Run
from core.services import metrics
from core.services.metrics import AtCheckpoints, BestOfSeries, Curve, Metrics, ValueAt, Way, XKind
from pages.parts import charts
from pages.parts.frame import answers, frame, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md
from pages.parts.metrics import choosing
from pages.parts.metrics.curves import Axis, Mark, MarkKind, color, figure
from pages.parts.metrics.curves import Curve as Line
from pages.parts.resume import resume

_KEY = "picture"
_SAVES_NOTE = "Colour: health. Shape: contents. Size: bytes. Click a point to open it."
_NOTE = "Each checkpoint is a mark on the curve. Click one to see it, drag to zoom, double-click to zoom out."


def draw(
    root: Root, run: Run, members: Sequence[Checkpoint], at_checkpoints: AtCheckpoints | None, now: datetime
) -> None:
    """The picture; without metrics in logs the saves over time. `at_checkpoints` is what the page knows already."""
    workspace = service.workspace()
    known = metrics.metrics(workspace, root.id, run.path)
    if not known.metrics:
        with frame.section("Saves over time", note=_SAVES_NOTE):
            charts.saves(members, now, key="saves")
        return
    with frame.section("What it achieved", note=_NOTE):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            tags = choosing.metrics_box([one.tag for one in known.metrics], known.best)
            drawn = list(metrics.curves(workspace, root.id, run.path, tags).values())
            drawn.sort(key=lambda one: tags.index(one.tag))
            axis, smoothing, is_log = choosing.scale(choosing.axes_of(drawn))
        if not drawn:
            st.caption("Choose at least one metric.")
            return
        main = drawn[0].tag
        by_best = at_checkpoints if at_checkpoints is not None and at_checkpoints.metric == known.best else None
        if by_best is None and known.best is not None:  # a metric in names alone tells it on the rest of the page
            by_best = metrics.at_checkpoints(workspace, root.id, run.path, known.best)
        best = () if by_best is None else by_best.best
        stars = {one.checkpoint.path for one in best if one.metric.tag == main}
        if by_best is not None and by_best.metric.tag == main:
            told = by_best.values
        else:
            values = metrics.values_at_checkpoints(workspace, root.id, run.path, [main])
            told = {path: found[main] for path, found in values.items() if main in found}
        marks = marks_of(members, told, stars, axis, now)
        chart = figure(
            [line for number, one in enumerate(drawn) for line in lines_of(one, color(number), axis)],
            marks,
            axis=axis,
            smoothing=smoothing,
            is_log=is_log,
            here=_resume_here(marks, members),
            revision=f"{run.path} {axis} {is_log}",
        )
        event = st.plotly_chart(
            chart,
            key=_KEY,
            on_select="rerun",
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"{', '.join(tags)} over {axis}, with {fmt.count(len(marks), 'checkpoint')}",
        )
        if not marks:
            st.caption(f":material/info: No value of {md(main)} is known at a checkpoint: {_why_no_marks(drawn[0])}.")
        _notes(known, drawn, axis)
        chosen = _clicked(event.selection.points, members)
        if chosen is not None:
            _selected(chosen, told.get(chosen.path), best, now)


def lines_of(curve: Curve, color: str, axis: Axis, *, name: str = "") -> list[Line]:
    """A curve's branches as lines, the last attempt plain, those before it dotted. None where it cannot be drawn over
    this axis.
    """
    if axis is not Axis.TIME and axis.value != curve.x_kind.value:
        return []
    name, last = name or curve.tag, len(curve.branches)
    found = []
    for number, branch in enumerate(curve.branches, 1):
        across = branch.wall_time if axis is Axis.TIME else branch.x
        found.append(
            Line(
                name=name if number == last else f"{name}, attempt {branch.attempt}",
                x=across.tolist(),
                y=branch.values.tolist(),
                color=color,
                dash="solid" if number == last else "dot",
                is_branch=number != last,
            )
        )
    return found


def marks_of(
    members: Sequence[Checkpoint], values: Mapping[str, ValueAt], best: set[str], axis: Axis, now: datetime
) -> list[Mark]:
    """A mark for each checkpoint of which the value is known; `id` is its place in `members`."""
    found = []
    for number, item in enumerate(members):
        value = values.get(item.path)
        x = None if value is None else _across(item, value, axis)
        if value is None or x is None:
            continue
        kind = MarkKind.RESTORABLE if item.restorable else MarkKind.BROKEN
        if item.path in best:
            kind = MarkKind.BEST
        found.append(Mark(id=number, x=x, y=value.value, kind=kind, hover=_hover(item, value, now)))
    return found


def _across(item: Checkpoint, value: ValueAt, axis: Axis) -> float | None:
    if axis is Axis.TIME:
        return value.wall_time if value.wall_time is not None else item.saved_at.timestamp()
    if value.x is not None and value.x_kind is not None and value.x_kind.value == axis.value:
        return value.x
    if axis is Axis.STEP and item.facts.step is not None:
        return item.facts.step.value
    return item.facts.epoch.value if axis is Axis.EPOCH and item.facts.epoch is not None else None


def _hover(item: Checkpoint, value: ValueAt, now: datetime) -> list[str]:
    return [
        links.local(item.path, item.run),
        f"{value.tag} {value.value:.6g}, {value.way.meaning}",
        f"step {fmt.sourced(item.facts.step)}, epoch {fmt.sourced(item.facts.epoch)}",
        f"saved {fmt.ago(item.saved_at, now)}, {fmt.size(item.bytes)}",
        "restorable" if item.restorable else "not restorable",
    ]


def _why_no_marks(curve: Curve) -> str:
    other = "steps" if curve.x_kind is XKind.EPOCH else "epochs"
    return f"the logs count {curve.x_kind}s, its checkpoints {other} or nothing, and no time joins the two"


def _resume_here(marks: Sequence[Mark], members: Sequence[Checkpoint]) -> tuple[float, str] | None:
    newest = [mark for mark in marks if members[mark.id].is_latest_restorable]
    if not newest:
        return None
    mark = max(newest, key=lambda mark: members[mark.id].saved_at)
    item = members[mark.id]
    return mark.x, f"latest restorable: {links.local(item.path, item.run)}"


def _notes(known: Metrics, drawn: Sequence[Curve], axis: Axis) -> None:
    missing = [one.tag for one in drawn if axis is not Axis.TIME and one.x_kind.value != axis.value]
    if missing:
        other = "epochs" if axis is Axis.STEP else "steps"
        st.caption(f":material/info: {md(', '.join(missing))} counts {other} and is not drawn over {axis}s.")
    if known.best is not None and known.best.is_guess:
        told_by = f"the {known.best.mode.word} {md(known.best.tag)}"
        st.caption(
            f":material/star: The best is told by {told_by}, which is a guess: under the title you can say otherwise."
        )
    for problem in known.problems[:3]:
        place = "" if problem.offset is None else f", byte {problem.offset:,}"
        st.caption(f":material/warning: {md(problem.path)}{place}: {md(problem.problem)}")


def _clicked(points: Sequence[object], members: Sequence[Checkpoint]) -> Checkpoint | None:
    for point in points:
        value = point.get("customdata") if isinstance(point, dict) else None
        number = value[0] if isinstance(value, list) and value else value
        if isinstance(number, int) and 0 <= number < len(members):
            return members[number]
    return None


def _selected(item: Checkpoint, value: ValueAt | None, best: Sequence[BestOfSeries], now: datetime) -> None:
    """The checkpoint whose mark was clicked, in one line with what can be done."""
    answers.place("picked")
    with (
        st.container(border=True),
        st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"),
    ):
        with st.container(horizontal=True, gap="medium", width="content", vertical_alignment="center"):
            st.markdown(f"**{md(links.local(item.path, item.run))}**", width="content")
            if any(one.checkpoint.path == item.path for one in best):
                frame.badge("best", "green", icon=":material/star:")
            frame.health_badge(item.health)
            if value is not None:
                frame.fact(value.tag, f"{value.value:.6g}", value.way.meaning if value.way is not Way.NAME else None)
            frame.fact("Step", fmt.sourced(item.facts.step))
            frame.fact("Saved", fmt.ago(item.saved_at, now))
            frame.fact("File size", fmt.size(item.bytes))
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            links.checkpoint_link(item, label="Open", icon=":material/open_in_full:")
            resume.button(item, key="resume-picture")
