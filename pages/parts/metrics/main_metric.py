"""The main metric of checkpoints: its value at each, how that was found, and which is the best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from core.base.records import Checkpoint
from core.services import metrics
from core.services.metrics import AtCheckpoints, BestOfSeries, ValueAt
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.text import md, shown
from pages.parts.resume import resume
from pages.parts.tables.tables import Column
from waypoint_resume.names import short_id

STAR = "★"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Values by root and path of checkpoints, and those that are the best of their series."""

    values: Mapping[tuple[str, str], ValueAt]
    best: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, root: str, found: AtCheckpoints | None) -> "Known":
        """What is known of one run."""
        if found is None:
            return cls(values={}, best=frozenset())
        values = {(root, path): value for path, value in found.values.items()}
        return cls(values=values, best=frozenset((root, one.checkpoint.path) for one in found.best))


def of_listed(records: Iterable[Checkpoint]) -> Known:
    """What is known of checkpoints of several runs; remembered until the disk shows something new."""
    values, best = dict[tuple[str, str], ValueAt](), set[tuple[str, str]]()
    for root, run in dict.fromkeys((item.root, item.run) for item in records):
        known = _of_run(short_id(root, run), service.current().version, root, run)
        values.update(known.values)
        best |= known.best
    return Known(values=values, best=frozenset(best))


@st.cache_resource(max_entries=1_000, show_spinner=False)
def _of_run(key: str, version: object, _root: str, _run: str) -> Known:  # noqa: ARG001 - the cache compares them
    return Known.of(_root, metrics.at_checkpoints(service.workspace(), _root, _run))


def columns(records: Sequence[Checkpoint], known: Known) -> tuple[Column[Checkpoint], ...]:
    """The columns of the value and, where they differ, of the ways in which values were found; none where no value is
    known. Where all are of one metric, its name is the head.
    """
    found = [known.values[key] for item in records if (key := (item.root, item.path)) in known.values]
    if not found:
        return ()
    tags, ways = {one.tag for one in found}, {one.way for one in found}
    head = shown(next(iter(tags))) if len(tags) == 1 else "metric"
    told = f" All of these values: {next(iter(ways)).meaning}." if len(ways) == 1 else ""

    def cell(item: Checkpoint) -> str:
        value = known.values.get((item.root, item.path))
        if value is None:
            return fmt.NONE
        star = f"{STAR} " if (item.root, item.path) in known.best else ""
        return f"{star}{value.value:.6g}" + ("" if len(tags) == 1 else f" {shown(value.tag)}")

    def way(item: Checkpoint) -> str:
        value = known.values.get((item.root, item.path))
        return fmt.NONE if value is None else value.way.value

    value = Column[Checkpoint](
        head=head,
        cell=cell,
        right=True,
        help=f"The main metric at the checkpoint. {STAR}: the best of its series that can be restored.{told}",
    )
    ways_help = "How the value was found. " + "; ".join(f"{one.value}: {one.meaning}" for one in sorted(ways)) + "."
    return (value,) if len(ways) == 1 else (value, Column[Checkpoint](head="found by", cell=way, help=ways_help))


def badge(best: BestOfSeries) -> None:
    """What marks the best checkpoint of a series."""
    frame.badge("best", "green", icon=":material/star:", tip=f"{_told(best)}, {best.value.way.meaning}.")


def line(best: BestOfSeries, latest: Checkpoint | None, *, key: str) -> None:
    """The best checkpoint of a series where it is another one than the latest restorable, with its way on."""
    item, value = best.checkpoint, best.value
    other = None if latest is None else best.values.get(latest.path)
    beside = "" if other is None else f"; the latest restorable has {other.value:.6g}"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key=key):
        st.markdown(
            f":green[:material/star:] **Best: {md(links.local(item.path, item.run))}**, {_told(best)}{beside}.",
            width="content",
            help=f"This value: {value.way.meaning}.",
        )
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            links.checkpoint_link(item, label="Open", icon=":material/open_in_full:")
            resume.button(item, key=f"{key}-resume", is_first=False)


def _told(best: BestOfSeries) -> str:
    guess = " (a guess)" if best.metric.is_guess else ""
    return f"the {best.metric.mode.word} {md(best.metric.tag)}{guess}, {best.value.value:.6g}"
