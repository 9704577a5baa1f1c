"""The views of the list of runs that the team keeps by name: opened, saved, removed."""

from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from core.base.errors import CoreError
from core.services import views
from core.services.views import View
from pages.parts.frame import acting, answers, links, service, url_state
from pages.parts.frame.text import md

_NOT_KEPT = frozenset({"page", url_state.BACK})


def popover() -> None:
    """The list of kept views, and the box to save what is shown now."""
    with st.popover("Views", icon=":material/bookmark:"):
        try:
            found = views.views(service.workspace())
        except CoreError as error:
            st.error(md(str(error)), icon=":material/error:")
            return
        _list(found)
        name = st.text_input("Name", key="view_name", placeholder="NLP this month", max_chars=views.MOST_NAME)
        query = urlencode([(key, value) for key, value in url_state.present() if key not in _NOT_KEPT])
        options = {"disabled": not name.strip(), "icon": ":material/bookmark_add:"}
        answers.button("Save view", _save, name, query, key="save_view", **options)
        st.caption("Search, filters, columns, groups and order are kept, for everybody who uses this server.")


def _list(found: Sequence[View]) -> None:
    if not found:
        st.caption("No view is kept yet.")
    for number, view in enumerate(found):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            query = [(key, value) for key, value in parse_qsl(view.query) if key not in _NOT_KEPT]
            st.page_link(links.RUNS, label=md(view.name), query_params=query, help=f"Kept by {md(view.by)}.")
            answers.button("", _remove, view.name, key=f"drop-view-{number}", icon=":material/delete:", type="tertiary")


def _save(name: str, query: str) -> None:
    workspace, name = service.workspace(), name.strip()
    former: list[View | None] = []
    undo = partial(_put_back, name, former)
    acting.act(
        lambda: former.append(views.keep_view(workspace, name, query)), f"Kept the view {name}.", undo=undo, looks=False
    )


def _remove(name: str) -> None:
    former: list[View | None] = []
    undo = partial(_put_back, name, former)
    workspace = service.workspace()
    acting.act(
        lambda: former.append(views.drop_view(workspace, name)), f"Removed the view {name}.", undo=undo, looks=False
    )


def _put_back(name: str, former: Sequence[View | None]) -> None:
    view = former[0] if former else None
    done = f"The view {name} is there again." if view is not None else f"The view {name} is not kept any more."
    acting.act(lambda: views.put_back(service.workspace(), name, view), done, looks=False)
