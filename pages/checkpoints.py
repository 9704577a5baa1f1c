"""Which of all checkpoints?"""

from datetime import datetime, timedelta

import streamlit as st

from core.base.facts import Contents, Format
from core.base.records import Health
from core.services.checkpoints import CHECKPOINT_SORTS, CheckpointFilter
from core.services.searching import search_checkpoints
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service, url_state
from pages.parts.metrics import main_metric
from pages.parts.tables import lists, search_box, tables

MIB, GIB = 1 << 20, 1 << 30
AGES: dict[str, tuple[int | None, int | None]] = {  # days: saved at most, saved at least ago
    "last day": (1, None),
    "last week": (7, None),
    "last month": (30, None),
    "older than a month": (None, 30),
    "older than half a year": (None, 182),
}
SIZES: dict[str, tuple[int | None, int | None]] = {
    "below 1 MiB": (None, MIB - 1),
    "1 MiB to 100 MiB": (MIB, 100 * MIB - 1),
    "100 MiB to 1 GiB": (100 * MIB, GIB - 1),
    "1 GiB and more": (GIB, None),
}


def ask(now: datetime) -> CheckpointFilter:
    """The filters, kept in the URL."""
    asked = search_box.search_box(search_checkpoints, now)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        age = st.selectbox("Age", AGES, index=None, placeholder="any", key="age", **tables.FILTER)
        size = st.selectbox("File size", SIZES, index=None, placeholder="any", key="size", **tables.FILTER)
    with st.container(horizontal=True):
        contents = choose("Contents", {item.value: word for item, word in fmt.CONTENTS.items()}, "contents")
        formats = choose("Format", {item.value: word for item, word in fmt.FORMATS.items()}, "format")
        health = choose("Health", {item.value: word for item, word in fmt.HEALTH.items()}, "health")
    newest, oldest = AGES[age] if age else (None, None)
    smallest, greatest = SIZES[size] if size else (None, None)
    if asked.error is not None:
        st.stop()
    return CheckpointFilter(
        search=asked.search,
        contents=tuple(Contents(value) for value in contents),
        format=tuple(Format(value) for value in formats),
        health=tuple(Health(value) for value in health),
        saved_after=None if newest is None else now - timedelta(days=newest),
        saved_before=None if oldest is None else now - timedelta(days=oldest),
        min_bytes=smallest,
        max_bytes=greatest,
    )


def choose(label: str, words: dict[str, str], key: str) -> list[str]:
    """A choice of several; the URL holds the values, the page shows the words."""
    return st.multiselect(
        label,
        list(words),
        format_func=lambda value: words.get(value, value),
        key=key,
        placeholder="any",
        **tables.FILTER,
    )


now = frame.head("Checkpoints")
reader = service.workspace().reader
frame.root_problems(reader.roots())
where = ask(now)
sort = tables.Sort.asked(CHECKPOINT_SORTS, tables.Sort(by="saved_at"))
offset = tables.pages(reader.checkpoints(where, limit=1).total)
page = reader.checkpoints(where, sort=sort.by, descending=sort.descending, limit=tables.PAGE_ROWS, offset=offset)
url_state.remember(links.CHECKPOINTS)

if page.items:
    st.caption(
        f"{fmt.count(page.total, 'checkpoint')}, {fmt.size(page.total_bytes)} file size. "
        "Click a name to open it, a column's head to sort by it."
    )
    values = main_metric.columns(page.items, main_metric.of_listed(page.items))
    lists.checkpoints(page.items, now, key="checkpoints", sort=sort, metric=values)
elif where == CheckpointFilter():
    frame.empty(
        ":material/save:",
        f"No checkpoints were found yet. {frame.SET_ROOTS}",
    )
else:
    frame.empty(":material/filter_alt_off:", search_box.nothing_found(where.search, "checkpoint"))
