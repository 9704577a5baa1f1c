"""The box in which runs or checkpoints are searched: its help, and a line under it where a search has no meaning."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

import streamlit as st

from core.services import searching
from core.services.searching import EXAMPLES, RootLayout, Search, SearchError
from pages.parts.frame import service
from pages.parts.frame.text import md, shown
from pages.parts.tables import tables

_PLACEHOLDER = "words, val_loss<0.3, tag:baseline …"
_SHOWN = ("status", "health", "tag", "owner", "favourite", "saved", "changed", "size", "step", "checkpoints", "errors")


class Asked(NamedTuple):
    """A search as it is written, and what it means; or why it means nothing, so that nothing is to be listed."""

    text: str
    search: Search | None = None
    error: SearchError | None = None


def search_box(meaning: Callable[[str, datetime], Search | None], now: datetime) -> Asked:
    """What is asked for; under the box, why it has no meaning, and where. Other filters are drawn all the same, for a
    widget that is not drawn forgets its value.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        text = st.text_input("Search", key="q", placeholder=_PLACEHOLDER, icon=":material/search:", **tables.FILTER)
        with st.popover("", icon=":material/help:", help="How to search", type="tertiary"):
            _help()
    try:
        return Asked(text or "", meaning(text or "", now))
    except SearchError as error:
        with st.container(key="search_error", gap="xxsmall"):
            st.markdown(f":red[:material/error: {md(str(error))}]")
            st.code(error.pointed(), language=None)
        return Asked(text or "", error=error)


def nothing_found(search: Search | None, what: str) -> str:
    """Why a search finds nothing, for a Markdown sink."""
    unknown = () if search is None else searching.unknown_names(service.workspace(), search)
    return " ".join((*map(md, unknown), f"No {what} fits these filters. Clear the search box or choose fewer."))


def guessed_layouts() -> str:
    """How the levels of paths were guessed, for a Markdown sink; '' where they are said, or none is plain."""
    found: Iterable[RootLayout] = searching.layouts(service.workspace()).values()
    told = dict.fromkeys(layout.layout for layout in found if layout.is_guess and layout.names)
    if not told:
        return ""
    return (
        f"Parts of paths are taken for {md(', '.join(told))}: a guess, until `layout` in the settings says otherwise."
    )


def _help() -> None:
    lines = [f"| {md(example)} | {md(tells)} |" for example, tells in EXAMPLES]
    st.markdown("\n".join(["| search | finds |", "| --- | --- |", *lines]))
    names = shown(", ".join(_SHOWN))
    st.caption(f"Names: {names}; levels of paths, metrics, parameters. All terms must hold; - before one negates it.")
