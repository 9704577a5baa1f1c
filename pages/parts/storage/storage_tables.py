"""Disk space as tables, each with its CSV: by kind, format, contents, age, root and run, and what grew."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, cast

import streamlit as st

from core.base.sizes import FILE_SIZE, ON_DISK
from core.services.disk_space import Age, Amount, Growth, Kind
from core.services.survey import Survey
from pages.parts.frame import format as fmt
from pages.parts.frame import links, service
from pages.parts.frame.text import shorten, shown
from pages.parts.tables import export, tables
from pages.parts.tables.tables import Column, Sort
from waypoint_resume.names import to_text

_AGES = {
    Age.DAY: "at most a day",
    Age.WEEK: "at most a week",
    Age.MONTH: "at most a month",
    Age.QUARTER: "at most a quarter",
    Age.YEAR: "at most a year",
    Age.OLDER: "older",
}
_NONE, _OUTSIDE, _NOTHING = "no checkpoint", "(outside of runs)", Amount()
_KINDS = {
    Kind.CHECKPOINT_REST: "rest of checkpoints",
    Kind.OTHER: "other files",
    Kind.EVENTS: "event files",
    Kind.KEPT: "kept for manifests",
    Kind.RESUMING: "kept for resuming",
}
_SORTS = ("name", "allocated", "apparent", "files")
_HEADS = ("name", "root", "allocated_bytes", "apparent_bytes", "files")
_GROWTH_HEADS = ("name", "root", "since", "until", "allocated_bytes", "apparent_bytes")


class Row(NamedTuple):
    """One line: its name, its root's path as text ('' for all roots), the run that it leads to; bytes and files."""

    name: str
    root: str
    run: tuple[str, str] | None
    allocated: int
    apparent: int
    files: int = 0
    growth: Growth | None = None


def draw(survey: Survey) -> None:
    """The choice of a table, and the table."""
    if survey.audited is None:
        return
    usage, growths = survey.audited.usage, survey.growths
    roots = {root.id: to_text(root.path) for root in service.workspace().reader.roots()}
    made: dict[str, Callable[[], list[Row]]] = {
        "kind": lambda: [_row(_KINDS.get(key, key.value), amount) for key, amount in usage.by_kind],
        "format": lambda: [_row(fmt.FORMATS[key] if key else _NONE, amount) for key, amount in usage.by_format],
        "contents": lambda: [_row(fmt.CONTENTS[key] if key else _NONE, amount) for key, amount in usage.by_contents],
        "age": lambda: [_row(_AGES[key], amount) for key, amount in usage.by_age],
        "root": lambda: [_row(roots.get(key, key), amount) for key, amount in usage.by_root],
        "run": lambda: [_run_row(*key, roots, amount) for key, amount in usage.by_run],
    }
    if growths is not None:
        by_root, by_run = growths.by_root, growths.by_run
        made["growth by root"] = lambda: [_grown(_row(roots.get(one.root, one.root)), one) for one in by_root]
        made["growth by run"] = lambda: [_grown(_run_row(one.root, one.run, roots), one) for one in by_run]
    by = st.segmented_control("By", list(made), default="kind", key="by", bind="query-params") or "kind"
    _table(by, made[by](), with_root=len(roots) > 1)


def _table(by: str, rows: list[Row], *, with_root: bool) -> None:
    is_growth, opens = by.startswith("growth"), by.endswith("run")
    sort = Sort.asked(_SORTS, Sort(by="allocated"))
    rows.sort(key=lambda row: row.name)
    rows.sort(key=lambda row: cast("str | int", getattr(row, sort.by)), reverse=sort.descending)
    shown_rows = [row for row in rows if row.run is not None] if opens else rows
    offset = tables.pages(len(shown_rows), key=f"{by.replace(' ', '_')}_page")
    tables.show(
        _columns(by.rsplit(maxsplit=1)[-1], is_growth=is_growth, with_root=opens and with_root),
        shown_rows[offset : offset + tables.PAGE_ROWS],
        key=f"usage-{by}",
        alt=f"Disk space by {by}, one a row",
        opens=(links.RUN, lambda row: links.run_query(*row.run) if row.run else {}) if opens else None,
        sort=sort,
    )
    if len(shown_rows) < len(rows):
        outside = sum(row.allocated for row in rows if row.run is None)
        st.caption(f"Outside of runs: {fmt.signed(outside) if is_growth else fmt.size(outside)}.")
    export.csv_button(by.replace(" ", "-"), _GROWTH_HEADS if is_growth else _HEADS, lambda: _lines(rows))


def _columns(head: str, *, is_growth: bool, with_root: bool) -> tuple[Column[Row], ...]:
    size = fmt.signed if is_growth else fmt.size
    last = (
        Column[Row](head="since", cell=lambda row: fmt.exact(row.growth.since if row.growth else None))
        if is_growth
        else Column[Row](head="files", cell=lambda row: fmt.number(row.files), sort="files", right=True)
    )
    return (
        Column[Row](head=head, cell=lambda row: shorten(shown(row.name)), sort="name", name=True),
        *((Column[Row](head="in", cell=lambda row: shown(row.root)),) if with_root else ()),
        Column[Row](head="on disk", cell=lambda row: size(row.allocated), sort="allocated", right=True, help=ON_DISK),
        Column[Row](head="file size", cell=lambda row: size(row.apparent), sort="apparent", right=True, help=FILE_SIZE),
        last,
    )


def _lines(rows: Iterable[Row]) -> Iterable[tuple[object, ...]]:
    for row in rows:
        if row.growth is None:
            yield row.name, row.root, row.allocated, row.apparent, row.files
        else:
            since, until = fmt.utc(row.growth.since), fmt.utc(row.growth.until)
            yield row.name, row.root, since, until, row.allocated, row.apparent


def _row(name: str, amount: Amount = _NOTHING) -> Row:
    return Row(name, "", None, amount.allocated, amount.apparent, amount.files)


def _run_row(root: str, run: str | None, roots: Mapping[str, str], amount: Amount = _NOTHING) -> Row:
    name = _OUTSIDE if run is None else to_text(links.run_name(run))
    place = None if run is None else (root, run)
    return Row(name, roots.get(root, root), place, amount.allocated, amount.apparent, amount.files)


def _grown(row: Row, growth: Growth) -> Row:
    return row._replace(allocated=growth.allocated, apparent=growth.apparent, growth=growth)
