"""Records as tables: sorted on the server by a click on a column's head, opened by a click on a row.

Cells hold text and numbers, never markup. What a row leads to is noted when it is drawn, so that a click still means
the row that was seen when the catalog changed meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import pandas as pd
import streamlit as st

from core.catalog.queries import CHECKPOINT_SORTS, RUN_SORTS
from core.fs.names import short_id
from core.model import Checkpoint, FileStat, Run, Variable
from pages._shared import format as fmt
from pages._shared import links
from pages._shared.text import button, md, shorten, shown

PAGE_ROWS = 100
TF_ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"
_FROM_A = frozenset({"path", "run", "name", "role"})
_ROW, _HEAD, _SHOWN_ROWS = 35, 38, 20  # pixels, pixels, rows before the table scrolls by itself
Width = Literal["small", "medium", "large"] | int | None
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Column(Generic[T]):
    """One column: its head, a record's cell, and the name to sort by where it can be sorted.

    `opens` makes its cells buttons that open the row; `right` aligns numbers and sizes; `colors` gives each word of a
    cell (a list) a badge of that colour.
    """

    head: str
    cell: Callable[[T], object]
    sort: str | None = None
    opens: bool = False
    right: bool = False
    width: Width = None
    colors: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """By which of the catalog's names a list is sorted, and whether the greatest comes first."""

    by: str
    descending: bool = True

    @classmethod
    def asked(cls, allowed: Sequence[str], default: "Sort") -> "Sort":
        """The sort of the URL (`sort=-bytes`), or the default where it says none that exists."""
        value = st.query_params.get("sort", "")
        by = value.removeprefix("-")
        return cls(by=by, descending=value.startswith("-")) if by in allowed else default

    def clicked(self, by: str) -> str:
        """The URL's value after a click on a column: numbers greatest first, names from A on; then the other way."""
        descending = not self.descending if self.by == by else by not in _FROM_A
        return f"{'-' if descending else ''}{by}"


def show(
    columns: Sequence[Column[T]],
    records: Sequence[T],
    *,
    key: str,
    alt: str,
    opens: tuple[str, Callable[[T], dict[str, str]]] | None = None,
    sort: Sort | None = None,
) -> None:
    """Draw a table. `opens` is the page that a row leads to and the query it takes; `sort` makes heads clickable."""
    frame = pd.DataFrame({column.head: [column.cell(record) for record in records] for column in columns})
    modes: list[Any] = (["single-cell"] if opens else []) + (["single-column"] if sort else [])
    name = f"{key}-{short_id(*st.query_params.to_dict().values(), repr(sort))}"
    config = {column.head: _config(column, frame, sort, f"{name}-open" if opens else None) for column in columns}
    options: dict[str, Any] = {"on_select": "rerun", "selection_mode": modes} if modes else {}
    options["height"] = "content" if len(records) <= _SHOWN_ROWS else _HEAD + _ROW * _SHOWN_ROWS
    event: Any = st.dataframe(
        frame, hide_index=True, column_config=config, key=name, alt=alt, placeholder=fmt.NONE, **options
    )
    if sort is not None and event.selection.columns:
        _sort_by(columns, event.selection.columns[0], sort)
    if opens is not None:
        queries = [opens[1](record) for record in records]
        _open(name, columns, event.selection.cells, opens[0], queries, list(frame[columns[0].head]))


def key_of(key: str, sort: Sort | None = None) -> str:
    """The widget key that `show` uses with the present URL."""
    return f"{key}-{short_id(*st.query_params.to_dict().values(), repr(sort))}"


def pages(total: int, *, key: str = "page") -> int:
    """Page buttons for a list of `total` rows; returns the offset of the chosen page."""
    count = max(1, -(-total // PAGE_ROWS))
    if count == 1:
        return 0
    return (st.pagination(count, key=key, bind="query-params") - 1) * PAGE_ROWS


def runs(records: Sequence[Run], now: datetime, *, sort: Sort) -> None:
    """The table of runs."""
    columns = (
        Column[Run](head="run", cell=lambda run: button(links.run_name(run.path)), sort="path", opens=True),
        Column[Run](head="status", cell=lambda run: [run.status], colors=fmt.color),
        Column[Run](head="newest step", cell=lambda run: fmt.number(run.newest_step), sort="newest_step", right=True),
        Column[Run](head="last saved", cell=lambda run: fmt.ago(run.last_saved, now), sort="last_saved"),
        Column[Run](head="checkpoints", cell=lambda run: fmt.number(run.checkpoints), sort="checkpoints", right=True),
        Column[Run](head="size", cell=lambda run: fmt.size(run.bytes), sort="bytes", right=True),
        Column[Run](
            head="health", cell=lambda run: fmt.findings(run.errors, run.warnings), sort="errors", colors=fmt.color
        ),
        Column[Run](head="last saved at (UTC)", cell=lambda run: fmt.exact(run.last_saved, zone=False)),
    )
    assert {column.sort for column in columns if column.sort} <= set(RUN_SORTS)
    opens = (links.RUN, lambda run: links.run_query(run.root, run.path))
    show(columns, records, key="runs", alt="Runs, one a row", opens=opens, sort=sort)


def checkpoints(
    records: Sequence[Checkpoint], now: datetime, *, key: str, sort: Sort | None = None, with_run: bool = True
) -> None:
    """The table of checkpoints; `with_run` adds the run's column."""
    place = Column[Checkpoint](head="run", cell=lambda item: shown(links.run_name(item.run)), sort="run", width=140)
    epoch = Column[Checkpoint](head="epoch", cell=lambda item: fmt.sourced(item.facts.epoch), sort="epoch", right=True)
    columns = (
        Column[Checkpoint](
            head="checkpoint",
            cell=lambda item: button(links.local(item.path, item.run)),
            sort="path",
            opens=True,
            width=200 if with_run else None,
        ),
        *((place,) if with_run else ()),
        Column[Checkpoint](head="step", cell=lambda item: fmt.sourced(item.facts.step), sort="step", right=True),
        *((epoch,) if any(item.facts.epoch for item in records) else ()),
        Column[Checkpoint](head="saved", cell=lambda item: fmt.ago(item.saved_at, now), sort="saved_at"),
        Column[Checkpoint](head="size", cell=lambda item: fmt.size(item.bytes), sort="bytes", right=True),
        Column[Checkpoint](head="health", cell=lambda item: [fmt.HEALTH[item.health]], sort="health", colors=fmt.color),
        Column[Checkpoint](head="restorable", cell=lambda item: "yes" if item.restorable else "no"),
        Column[Checkpoint](head="contents", cell=lambda item: fmt.CONTENTS[item.facts.contents]),
        Column[Checkpoint](head="format", cell=lambda item: fmt.FORMATS[item.format]),
        Column[Checkpoint](head="saved at (UTC)", cell=lambda item: fmt.exact(item.saved_at, zone=False)),
    )
    assert {column.sort for column in columns if column.sort} <= set(CHECKPOINT_SORTS)
    show(
        columns,
        records,
        key=key,
        alt="Checkpoints, one a row",
        opens=(links.CHECKPOINT, links.checkpoint_query),
        sort=sort,
    )


def variables(records: Sequence[Variable], *, sort: Sort) -> None:
    """The table of a checkpoint's variables, without TensorFlow's ending of their names."""
    columns = (
        Column[Variable](
            head="name", cell=lambda item: shown(item.name.removesuffix(TF_ENDING)), sort="name", width="large"
        ),
        Column[Variable](head="shape", cell=lambda item: fmt.shape(item.shape), right=True),
        Column[Variable](head="dtype", cell=lambda item: shown(item.dtype)),
        Column[Variable](head="size", cell=lambda item: fmt.size(item.bytes), sort="bytes", right=True),
        Column[Variable](head="role", cell=lambda item: fmt.ROLES[item.role], sort="role"),
        Column[Variable](head="shard", cell=lambda item: fmt.number(item.shard), right=True),
    )
    show(columns, records, key="variables", alt="Variables, one a row", sort=sort)


def files(records: Sequence[FileStat], now: datetime, *, key: str = "files") -> None:
    """The table of files."""

    def changed(item: FileStat) -> datetime:
        return datetime.fromtimestamp(item.mtime_ns / 1e9, tz=now.tzinfo)

    columns = (
        Column[FileStat](head="file", cell=lambda item: shown(item.name), width="large"),
        Column[FileStat](head="size", cell=lambda item: fmt.size(item.size), right=True),
        Column[FileStat](head="modified", cell=lambda item: fmt.ago(changed(item), now)),
        Column[FileStat](head="modified at (UTC)", cell=lambda item: fmt.exact(changed(item), zone=False)),
    )
    show(columns, records, key=key, alt="Files, one a row")


def _config(column: Column[Any], frame: pd.DataFrame, sort: Sort | None, open_key: str | None) -> Any:  # noqa: ANN401
    """The column's configuration, of one of Streamlit's many types."""
    label = column.head
    if sort is not None and column.sort == sort.by:
        label += " ↓" if sort.descending else " ↑"
    if column.opens and open_key is not None:
        return st.column_config.ButtonColumn(label, width=column.width, type="tertiary", alignment="left", key=open_key)
    if column.colors is not None:
        words = sorted({word for words in frame[column.head] for word in words})
        colors = [column.colors(word) for word in words]
        return st.column_config.MultiselectColumn(label, width=column.width, options=words, color=colors)
    return st.column_config.TextColumn(label, width=column.width, alignment="right" if column.right else "left")


def _sort_by(columns: Sequence[Column[Any]], head: str, sort: Sort) -> None:
    by = next((column.sort for column in columns if column.head == head), None)
    if by is not None:
        st.query_params["sort"] = sort.clicked(by)
        st.query_params.pop("page", None)
        st.rerun()


def _open(
    name: str,
    columns: Sequence[Column[Any]],
    cells: Sequence[Any],
    page: str,
    queries: list[dict[str, str]],
    names: list[str],
) -> None:
    """Go where a clicked row leads, by what was drawn when it was clicked.

    The keyboard enters a table at its first cell. That opens nothing, and neither do the cells that it moves to from
    there: the next stop after the table is then a link that opens the row. A first choice of any other cell is a click;
    a click on the first name is the button's.
    """
    drawn = st.session_state.get(f"{name}-queries", queries)
    st.session_state[f"{name}-queries"] = queries
    pressed = st.session_state.get(f"{name}-open")
    row = pressed["row"] if pressed else None
    if row is None and cells:
        number, head = cells[0]
        if number == 0 and head == columns[0].head:
            st.session_state[f"{name}-entered"] = True
        if not st.session_state.get(f"{name}-entered"):
            row = number
        elif 0 <= number < len(queries):
            label = f"Open {md(shorten(names[number]))}"
            st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=queries[number])
    if row is not None and 0 <= row < len(drawn):
        for note in ("queries", "entered"):
            st.session_state.pop(f"{name}-{note}", None)
        st.switch_page(page, query_params=drawn[row])
