"""What lies in quarantine or was set aside by rewinds, over all runs: batches, undone or purged from here."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Run
from core.base.sizes import FILE_SIZE, ON_DISK
from core.services import quarantine
from core.services.quarantine import ConflictError, JournalFile, JournalKind, Place, Returned, Stage, as_run_text
from core.services.survey import PlacedBatch
from pages.parts.frame import acting, answers, frame, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import lines, md, shorten, shown
from pages.parts.tables import tables
from pages.parts.tables.tables import Column
from waypoint_resume.names import to_text

T = TypeVar("T")
_SHOWN = 10
_FORMER = frozenset({Stage.UNDONE, Stage.PURGED})


def is_former(one: PlacedBatch) -> bool:
    """Whether it was undone or purged, so that nothing of it lies aside."""
    return one.batch.stage in _FORMER


def draw(batches: Sequence[PlacedBatch], now: datetime, *, first: str = "") -> None:
    """Those that lie there, the one with the id `first` first, then newest first; below, folded, those that were undone
    or purged.
    """
    lying = sorted((one for one in batches if not is_former(one)), key=lambda one: one.batch.id != first)
    former = [one for one in batches if is_former(one)]
    if not lying:
        frame.empty(":material/inventory_2:", "Nothing lies in quarantine.")
    pages = -(-len(lying) // _SHOWN)
    page = st.pagination(pages, key="batch_page", bind="query-params") if pages > 1 else 1
    for one in lying[(page - 1) * _SHOWN : page * _SHOWN]:
        answers.place(f"batch-{one.batch.id}")
        _card(one, now)
    answers.place("former-batches")
    if former:
        box = st.expander(
            f"{fmt.count(len(former), 'former batch', 'former batches')}", on_change="rerun", key="former"
        )
        if box.open:
            with box:
                _former(former, now)


def undo(*places: Place, rename: bool = False) -> None:
    """Bring batches back, and say what came of it; for callbacks of buttons."""
    returned: list[Returned] = []
    conflicts: list[tuple[Place, ConflictError]] = []

    def bring_back() -> None:
        try:
            for back in quarantine.undo_batches(service.workspace(), places, rename=rename):
                returned.append(back)  # noqa: PERF402 - those before a conflict stay
        except ConflictError as error:
            conflicts.append((places[len(returned)], error))
            raise
        finally:
            for root, run, _ in places:
                service.current().acted(root, run)

    acting.act(bring_back, "")
    problems = [f"{one.path}: {one.problem}" for back in returned for one in back.problems]
    if len(returned) == len(places):
        in_place = [back.files for back in returned if back.new_run is None]
        told = [f"Undone: {fmt.count(sum(in_place), 'file')} brought back."] if in_place else []
        told += [as_run_text(back.new_run, back.files, is_done=True) for back in returned if back.new_run is not None]
        acting.tell("\n".join([*told, *problems]))
    if conflicts:
        acting.ask(partial(_conflict_dialog, *conflicts[0]))


def _card(one: PlacedBatch, now: datetime) -> None:
    batch, place = one.batch, (one.root, one.run, one.batch.id)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(gap=None, width="content"):
                links.run_link(one.root, one.run, icon=":material/folder:")
                st.caption(md(_told(one, now)))
            with st.container(horizontal=True, width="content", gap="small"):
                answers.button(
                    "Undo",
                    undo,
                    place,
                    key=f"undo-{batch.id}",
                    icon=":material/undo:",
                    disabled=not batch.undoable,
                )
                answers.button(
                    "Purge…",
                    acting.ask,
                    partial(_purge_dialog, one),
                    key=f"purge-{batch.id}",
                    icon=":material/delete_forever:",
                    disabled=not batch.purgeable,
                )
        if batch.note:
            st.text(lines(batch.note))
        for problem in batch.problems[:_SHOWN]:
            name = batch.short if problem.path == batch.id else problem.path
            st.caption(f":orange[:material/warning:] {md(name)}: {md(problem.problem)}")
        files = fmt.count(sum(item.files for item in batch.items), "file")
        box = st.expander(files, on_change="rerun", key=f"files-{batch.id}")
        if box.open:
            with box:
                _files(one)


def _told(one: PlacedBatch, now: datetime) -> str:
    batch = one.batch
    why = "Rewind" if batch.kind is JournalKind.REWIND else "Quarantine"
    return (
        f"{why} {batch.short}, {fmt.ago(batch.at, now)} ({fmt.exact(batch.at)}), by {batch.by}: "
        f"{fmt.count(len(batch.items), 'item')}, {fmt.size(batch.bytes)}; a purge frees {fmt.size(batch.freed_bytes)}"
    )


def _files(one: PlacedBatch) -> None:
    try:
        files = quarantine.batch_files(service.workspace(), _run((one.root, one.run, one.batch.id)), one.batch.id)
    except (CoreError, OSError) as error:
        st.caption(md(str(error)))
        return
    columns = (
        Column[JournalFile](head="file", cell=lambda file: shorten(shown(file.path)), name=True),
        Column[JournalFile](head="file size", cell=lambda file: fmt.size(file.size), right=True, help=FILE_SIZE),
        Column[JournalFile](head="on disk", cell=lambda file: fmt.size(file.allocated), right=True, help=ON_DISK),
    )
    _first(columns, files, key=f"batch-files-{one.batch.id}", alt="Files of the batch, one a row")


def _former(former: Sequence[PlacedBatch], now: datetime) -> None:
    columns = (
        Column[PlacedBatch](head="batch", cell=lambda one: one.batch.short, name=True),
        Column[PlacedBatch](head="run", cell=lambda one: shorten(shown(links.run_name(one.run)))),
        Column[PlacedBatch](head="became", cell=lambda one: one.batch.stage.value),
        Column[PlacedBatch](head="moved", cell=lambda one: fmt.ago(one.batch.at, now)),
        Column[PlacedBatch](head="by", cell=lambda one: shown(one.batch.by)),
        Column[PlacedBatch](
            head="ended", cell=lambda one: fmt.ago(one.batch.ended.at if one.batch.ended else None, now)
        ),
        Column[PlacedBatch](
            head="ended by", cell=lambda one: shown(one.batch.ended.by) if one.batch.ended else fmt.NONE
        ),
        Column[PlacedBatch](head="items", cell=lambda one: fmt.number(len(one.batch.items)), right=True),
        Column[PlacedBatch](head="file size", cell=lambda one: fmt.size(one.batch.bytes), right=True, help=FILE_SIZE),
        Column[PlacedBatch](head="freed", cell=lambda one: fmt.size(one.batch.freed_bytes), right=True),
        Column[PlacedBatch](head="note", cell=lambda one: shown(one.batch.note)),
    )
    _first(columns, former, key="former-batches", alt="Former batches, one a row")


@st.dialog("Purge this batch", icon=":material/delete_forever:", on_dismiss=acting.close)
def _purge_dialog(one: PlacedBatch) -> None:
    batch, name = one.batch, to_text(one.run)
    st.warning("This deletes the files for good. It cannot be undone.", icon=":material/warning:")
    st.markdown(
        f"{fmt.count(len(batch.items), 'item')} of **{md(links.run_name(one.run))}**, {fmt.size(batch.bytes)}. "
        f"The disk gains {fmt.size(batch.freed_bytes)}."
    )
    typed = st.text_input(f"Type {md(batch.short)} or the run's name, {md(name)}, to confirm", key="purge_typed")
    if st.button("Purge", type="primary", icon=":material/delete_forever:", key="purge_confirm"):
        _purge(one, typed.strip())


def _purge(one: PlacedBatch, typed: str) -> None:
    def delete() -> int:
        try:
            run = _run((one.root, one.run, one.batch.id))
            return quarantine.purge_batch(service.workspace(), run, one.batch.id, confirm=typed).freed_bytes
        finally:
            service.current().acted(one.root, one.run)

    acting.from_dialog(delete, lambda freed: f"Purged: {fmt.size(freed)} freed.", failed="Nothing was purged.")


@st.dialog("They cannot come back to their places", icon=":material/undo:", on_dismiss=acting.close)
def _conflict_dialog(place: Place, error: ConflictError) -> None:
    if error.new_run is None:
        _apart(error)
        label = "Bring them back under these names"
    else:
        st.markdown(f"Nothing was moved, for {md(error.why)}.")
        st.markdown(md(as_run_text(error.new_run, error.files, is_done=False)))
        label = "Bring them back as a new run"
    if st.button(label, type="primary", icon=":material/undo:", key="undo_rename"):
        acting.close()
        undo(place, rename=True)
        st.rerun()


def _apart(error: ConflictError) -> None:
    """The folder that each thing could go into."""
    if any(one.taken for one in error.conflicts):
        st.markdown("Nothing was moved. New files came where these were; they are never written over:")
    else:
        st.markdown(f"Nothing was moved, for {md(error.why)}. Or take them now:")
    for one in error.conflicts[:_SHOWN]:
        st.text(shown(f"{one.path}: could come back into {one.offered}/"))
    if len(error.conflicts) > _SHOWN:
        st.caption(f"and {len(error.conflicts) - _SHOWN:,} more")


def _run(place: Place) -> Run:
    return quarantine.quarantined_run(service.workspace(), place[0], place[1])


def _first(columns: Sequence[Column[T]], records: Sequence[T], *, key: str, alt: str) -> None:
    tables.show(columns, records[: tables.PAGE_ROWS], key=key, alt=alt)
    if len(records) > tables.PAGE_ROWS:
        st.caption(f"The first {tables.PAGE_ROWS:,} of {len(records):,}.")
