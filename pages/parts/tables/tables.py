"""Records as tables: sorted on the server by a click on a column's head, opened by a button that bears their name.

Cells hold text and numbers, never markup. The mouse opens a row by its button. The keyboard cannot press a button in a
cell, and passing over cells opens nothing: behind the table stands a link that opens the row that was chosen. What a
row leads to is noted when it is drawn, so that a click still means the row that was seen when the catalog changed
meanwhile.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import pandas as pd
import streamlit as st

from pages.parts.frame import format as fmt
from pages.parts.frame import url_state
from pages.parts.frame.text import md, shorten
from waypoint_resume.names import short_id

PAGE_ROWS = 100
_FROM_A = frozenset({"path", "run", "name", "role"})
_FIRST = "first_page"
_TEXT = "\u2060"  # unseen
_ROW, _HEAD = 35, 38  # pixels
# A longer table scrolls by itself, and its height cuts a row in two, so that one sees that more follow.
_WHOLE, _CUT = 50, 20.5  # rows
LETTER, _NARROWEST, _WIDEST = 6.8, 120, 430  # pixels: a letter of a cell, the width of a column of names
Width = Literal["small", "medium", "large"] | int | None
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Column(Generic[T]):
    """One column: its head, a record's cell, and the name to sort by where it can be sorted.

    `name` marks what a record is called: its column is as wide as the names. `least_first`: a first click on the head
    begins with the least.
    `right` aligns numbers and sizes; `colors` gives each word of a cell (a list) a badge of that colour; `is_line`
    draws a cell (a list of numbers) as a small curve, `is_bar` one (a share from 0 to 1) as a bar; `help` is shown over
    the head.
    """

    head: str
    cell: Callable[[T], object]
    sort: str | None = None
    least_first: bool = False
    name: bool = False
    right: bool = False
    width: Width = None
    colors: Callable[[str], str] | None = None
    is_line: bool = False
    is_bar: bool = False
    help: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """By which of the catalog's names a list is sorted, and whether the greatest comes first."""

    by: str
    descending: bool = True

    @classmethod
    def asked(cls, allowed: Collection[str], default: "Sort") -> "Sort":
        """The sort of the URL (`sort=-bytes`), or the default where it says none that exists."""
        value = st.query_params.get("sort", "")
        by = value.removeprefix("-")
        return cls(by=by, descending=value.startswith("-")) if by in allowed else default

    def clicked(self, by: str, *, least_first: bool = False) -> str:
        """The URL's value after a click on a column: numbers greatest first, names from A on; then the other way."""
        descending = not self.descending if self.by == by else by not in _FROM_A and not least_first
        return f"{'-' if descending else ''}{by}"


def show(
    columns: Sequence[Column[T]],
    records: Sequence[T],
    *,
    key: str,
    alt: str,
    opens: tuple[str, Callable[[T], dict[str, str]]] | None = None,
    sort: Sort | None = None,
    selects: bool = False,
) -> list[T]:
    """Draw a table. `opens` is the page that a row leads to and the query it takes; `sort` makes heads clickable. With
    `selects` rows can be chosen, and those that are chosen are returned.
    """
    frame = pd.DataFrame({column.head: [column.cell(record) for record in records] for column in columns})
    name = f"{key}-{short_id(*(value for _, value in url_state.present()), repr(sort))}"
    config = {column.head: _config(column, frame, sort) for column in columns}
    named = next(column for column in columns if column.name)
    names = list(frame[named.head])
    if opens is not None:
        config[named.head] = _button(named, frame, sort, key=f"{name}-open")
    asked = (("single-cell", opens), ("single-column", sort), ("multi-row", selects))
    modes: list[Any] = [mode for mode, is_asked in asked if is_asked]
    options: dict[str, Any] = {"on_select": "rerun", "selection_mode": modes} if modes else {}
    options["height"] = "content" if len(records) <= _WHOLE else _HEAD + int(_ROW * _CUT)
    event: Any = st.dataframe(
        frame, hide_index=True, column_config=config, key=name, alt=alt, placeholder=fmt.NONE, **options
    )
    if sort is not None and event.selection.columns:
        _sort_by(columns, event.selection.columns[0], sort)
    if opens is not None:
        queries = [opens[1](record) for record in records]
        _open(name, opens[0], queries)
        if event.selection.cells and 0 <= (row := event.selection.cells[0][0]) < len(queries):
            label = f"Open {md(shorten(names[row]))}"
            st.page_link(opens[0], label=label, icon=":material/arrow_forward:", query_params=queries[row])
    return [records[row] for row in event.selection.rows if row < len(records)] if selects else []


def pages(total: int, *, key: str = "page") -> int:
    """Page buttons for a list of `total` rows; returns the offset of the chosen page."""
    if st.session_state.pop(_FIRST, False) and key in st.session_state:
        st.session_state[key] = 1
    count = max(1, -(-total // PAGE_ROWS))
    if count == 1:
        return 0
    return (st.pagination(count, key=key, bind="query-params") - 1) * PAGE_ROWS


def first_page() -> None:
    """Begin at the first page in the next run: a bound value of the URL can only be set before its widget is drawn."""
    st.session_state[_FIRST] = True


# What the widget of a filter takes besides: it stands in the URL, and a change begins at the first page.
FILTER: dict[str, Any] = {"bind": "query-params", "on_change": first_page}


def _config(column: Column[Any], frame: pd.DataFrame, sort: Sort | None) -> Any:  # noqa: ANN401
    """The column's configuration, of one of Streamlit's many types."""
    label, cells = _label(column, sort), frame[column.head]
    if column.colors is not None:
        words = sorted({word for words in cells for word in words})
        colors = [column.colors(word) for word in words]
        return st.column_config.MultiselectColumn(
            label, width=column.width, help=column.help, options=words, color=colors
        )
    if column.is_line:
        return st.column_config.LineChartColumn(label, width=column.width, help=column.help)
    if column.is_bar:
        return st.column_config.ProgressColumn(label, width=column.width, help=column.help, format=" ", color="blue")
    width = _width(cells) if column.name else column.width
    alignment: Literal["left", "right"] = "right" if column.right else "left"
    return st.column_config.TextColumn(label, width=width, help=column.help, alignment=alignment)


def _button(column: Column[Any], frame: pd.DataFrame, sort: Sort | None, *, key: str) -> Any:  # noqa: ANN401
    """The column of names as buttons. An icon's name at the beginning of a label would become the icon."""
    frame[column.head] = [f"{_TEXT}{name}" if name.startswith(":") else name for name in frame[column.head]]
    width = _width(frame[column.head])
    return st.column_config.ButtonColumn(
        _label(column, sort), width=width, help=column.help, pinned=True, alignment="left", type="tertiary", key=key
    )


def _label(column: Column[Any], sort: Sort | None) -> str:
    """The column's head, with an arrow where it is the one sorted by."""
    if sort is None or column.sort != sort.by:
        return column.head
    return f"{column.head} {'↓' if sort.descending else '↑'}"


def _width(names: pd.Series) -> int:
    longest = max((len(name) for name in names), default=0)
    return round(min(max(longest * LETTER + 20, _NARROWEST), _WIDEST))


def _sort_by(columns: Sequence[Column[Any]], head: str, sort: Sort) -> None:
    column = next(column for column in columns if column.head == head)
    if column.sort is not None:
        st.query_params["sort"] = sort.clicked(column.sort, least_first=column.least_first)
        first_page()
        st.rerun()


def _open(name: str, page: str, queries: list[dict[str, str]]) -> None:
    """Go where the row leads whose button was pressed, by what was drawn when it was pressed."""
    drawn = st.session_state.get(f"{name}-queries", queries)
    st.session_state[f"{name}-queries"] = queries
    pressed = st.session_state.get(f"{name}-open")
    if pressed is not None and 0 <= pressed["row"] < len(drawn):
        st.session_state.pop(f"{name}-queries", None)
        url_state.leave_for(page, drawn[pressed["row"]])
