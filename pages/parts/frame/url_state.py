"""The state of a page in its URL: what Back, Forward, a reload and a pasted link show.

Filters, pages and tabs are widgets bound to the query, and a sort is written into it. Leaving a page from the server,
as a button in a table does, makes the browser keep an entry with this page's path and the next one's query. So the
next page's query also says in `back` where one came from and with which query, and whoever goes back to that entry
finds the page as it was left, with its own URL. A link drawn on the page needs none of this.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.parts.frame.pages import PAGES

BACK = "back"  # in a query: the page that one came from, with its query
_RESERVED = frozenset({"embed", "embed_options"})  # names that Streamlit keeps for itself
_LONGEST = 1_500  # characters of a way back: whoever goes deeper returns to the nearer pages only
_HERE, _LIST = "page_here", "list_before"
_FILES = {row.file.removesuffix(".py"): row.file for row in PAGES}
Query = Sequence[tuple[str, str]]


class Place(NamedTuple):
    """A page, by its file, and its query; a name with several values occurs several times."""

    page: str
    query: Query


def begin(url_path: str) -> None:
    """Begin a page: note which one, and give an entry of the browser's history that was left its own query again."""
    here = _FILES.get(url_path, PAGES[0].file)
    st.session_state[_HERE] = here
    came_from = _parsed(st.query_params.get(BACK, ""))
    if came_from is not None and came_from.page == here:
        _show(came_from.query)


def present() -> Query:
    """The query of the page that is shown."""
    return [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]


def leave_for(page: str, query: Mapping[str, str]) -> NoReturn:
    """Go to another page from the server; Back leads to this one as it is."""
    here: str = st.session_state.get(_HERE, PAGES[0].file)
    st.switch_page(page, query_params={**query, BACK: _written(Place(here, present()))})


def remember(page: str) -> None:
    """Note that this list, as it is, is what the pages of one thing lead back to."""
    st.session_state[_LIST] = Place(page, present())


def list_before(default: str) -> Place:
    """The list that one came from: by the URL, else the last that was open, else a default."""
    place = _parsed(st.query_params.get(BACK, ""))
    while place is not None and not _is_list(place.page):
        place = _parsed(dict(place.query).get(BACK, ""))
    last: Place = st.session_state.get(_LIST, Place(default, ()))
    return place or last


def _is_list(page: str) -> bool:
    """Whether a page is one of many things."""
    return any(row.file == page and (row.visibility == "visible" or row.file == "sweep.py") for row in PAGES)


def _written(place: Place) -> str:
    query = urlencode(place.query)
    if len(query) > _LONGEST:
        query = urlencode([(name, value) for name, value in place.query if name != BACK])
    name = place.page.removesuffix(".py")
    return f"{name}?{query}" if query else name


def _parsed(text: str) -> Place | None:
    """A way back as `_written` gives it; None for anything else, for the URL may be anybody's."""
    name, _, query = text.partition("?")
    if name not in _FILES:
        return None
    return Place(_FILES[name], [(key, value) for key, value in parse_qsl(query) if key.lower() not in _RESERVED])


def _show(query: Query) -> None:
    """Put a query into the URL before any widget is drawn: widgets take their values from there."""
    context = get_script_run_ctx()
    if context is None:
        return
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    with context.session_state.query_params() as params:
        for name in values:  # the page that was left may have bound the same name
            binding = params.get_binding_for_param(name)
            if binding is not None:
                params.unbind_widget(binding.widget_id)
        params.from_dict({name: several[0] if len(several) == 1 else several for name, several in values.items()})
        params.set_initial_query_params_from_current()
