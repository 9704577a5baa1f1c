"""The variables of a checkpoint: searched, sorted, in pages."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.base.facts import Format, Variable
from core.base.names import natural_key
from core.services.checkpoints import spec_of
from pages.parts.frame import format as fmt
from pages.parts.tables import lists, tables
from waypoint_resume.names import to_text

_SORTS: dict[str, Callable[[Variable], Any]] = {
    "name": lambda item: natural_key(item.name),
    "bytes": lambda item: (item.bytes, natural_key(item.name)),
    "role": lambda item: (item.role.value, natural_key(item.name)),
}


def show(variables: tuple[Variable, ...], stored_as: Format) -> None:
    """A search box and the table; its order and page stand in the URL."""
    text = st.text_input("Search", key="v", bind="query-params", placeholder="part of a name", icon=":material/search:")
    found = [item for item in variables if (text or "").lower() in to_text(item.name).lower()]
    sort = tables.Sort.asked(tuple(_SORTS), tables.Sort(by="name", descending=False))
    found.sort(key=_SORTS[sort.by], reverse=sort.descending)
    ending = any(item.name.endswith(lists.TF_ENDING) for item in variables)
    note = f" Each name ends in `{lists.TF_ENDING}`, which is left out." if ending else ""
    st.caption(f"{fmt.count(len(found), 'variable')}, {fmt.size(sum(item.bytes for item in found))}.{note}")
    offset = tables.pages(len(found))
    lists.variables(found[offset : offset + tables.PAGE_ROWS], sort=sort, in_shards=spec_of(stored_as).has_shards)
