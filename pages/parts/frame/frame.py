"""What surrounds every page: the head with the last look at the disk, errors said kindly, small building blocks."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

import streamlit as st

from core.base.errors import CoreError, NotFoundError
from core.base.records import Health, Root
from core.services import passed_over as passed_over_texts
from core.services.workspace import upgrade_text
from pages.parts.frame import format as fmt
from pages.parts.frame import links, service, url_state
from pages.parts.frame.service import IndexerStatus
from pages.parts.frame.text import lines as shown_lines
from pages.parts.frame.text import md, md_lines, shown
from waypoint_resume.names import to_text

REFRESH_SECONDS = 5
FEW = 1  # things that were passed over, which their sentence names all
SET_ROOTS = (
    "Point Waypoint at the folders where training jobs write, with `make run ROOTS=/data/runs` or the setting "
    "`WAYPOINT_ROOTS` (several separated by `:`)."
)
IN_MEMORY = (
    "The disk of WAYPOINT_HOME is full: pages show a copy of the catalog in memory. What is verified now is not kept."
)
UNEXPECTED = (
    "This page could not be drawn: Waypoint met an error that it does not know. Nothing on the disk was changed by it. "
    "Load the page again; if that does not help, look at the end of the server's log, where the details stand."
)
_log = logging.getLogger(__name__)
_SEEN = "seen_version"
_BUSY = "dialog_is_open"


def run(page: st.Page) -> None:
    """Draw a page; what the core raises on purpose is shown as a sentence, and so is any other error, with the
    traceback in the log.
    """
    url_state.begin(page.url_path)
    try:
        page.run()
    except NotFoundError as error:
        not_found(str(error))
    except CoreError as error:
        st.error(md_lines(str(error)), icon=":material/error:")
    except Exception:  # noqa: BLE001 - the last line of defence, and the log has it all
        _log.exception("The page %s failed.", page.title)
        st.error(UNEXPECTED, icon=":material/error:")


def head(title: str, *, icon: str | None = None) -> datetime:
    """The head of a page: its title, and when the disk was last looked at. Returns the page's `now`."""
    st.session_state[_SEEN] = service.current().version
    st.set_page_config(page_title=f"{shown(title)} · Waypoint")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(md(title), icon=icon, anchor=False, width="content")
        with st.container(width="content"):
            last_look()
    return service.workspace().now()


@st.fragment(run_every=REFRESH_SECONDS)
def last_look() -> None:
    """When the disk was last looked at and what is going on; reruns the page when the catalog changed."""
    current = service.current()
    status = current.status
    if status is not None and current.version != st.session_state.get(_SEEN) and not st.session_state.get(_BUSY):
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", key="last_look", gap="small"):
        st.caption(md(look_text(status, current.workspace.now())), width="content")
        if st.button("Look now", icon=":material/refresh:", type="tertiary", key="look_now"):
            current.look_now()
            st.rerun()
    if status is not None and status.error:
        st.caption(f":material/error: {md(status.error)}")
    if current.workspace.is_in_memory:
        st.caption(f":material/memory: {md(IN_MEMORY)}")


def look_text(status: IndexerStatus | None, now: datetime) -> str:
    """What the indexer is doing, in a sentence."""
    if status is None:
        return "Looks at the disk only when asked"
    if status.phase == "looking":
        done = fmt.count(status.folders, "folder")
        share = f" of about {status.expected_folders:,}" if status.expected_folders else ""
        return f"Looking at the disk: {done}{share}, {fmt.count(status.checkpoints, 'checkpoint')}"
    if status.finished_at is None:
        return "Has not looked at the disk yet"
    upgraded = "" if status.report is None else upgrade_text(status.report)
    return f"Looked at the disk {fmt.ago(status.finished_at, now)}{f'. {upgraded}' if upgraded else ''}"


def not_found(what: str) -> NoReturn:
    """Say that there is no such thing, offer a way back, and stop."""
    st.warning(md(what), icon=":material/search_off:")
    st.text(
        "It may have been deleted, or the link is mistyped. The dashboard knows what lay on the disk at the last look."
    )
    links.back()
    st.stop()


def dialog_open(is_open: bool) -> None:
    """Hold back reruns that would close a dialog under the reader's hands."""
    st.session_state[_BUSY] = is_open


def empty(icon: str, text: str) -> None:
    """An empty page or section: what is missing and what to do next. `text` is Markdown of our own."""
    st.info(text, icon=icon)


def root_problems(roots: tuple[Root, ...]) -> None:
    """A box for each root that could not be looked at."""
    for root in roots:
        if root.problem:
            st.error(f"A root could not be looked at. {md(root.problem)}", icon=":material/folder_off:")


def passed_over(roots: tuple[Root, ...]) -> None:
    """What the last look passed over, once for each root, with all of it behind a click."""
    for passed in passed_over_texts.look_up(service.workspace().engine, roots):
        for text in passed_over_texts.sentences(passed):
            st.caption(f":material/visibility_off: {md(text)}")
        count = len(passed.links) + len(passed.folders)
        if count > FEW:
            box = st.expander(
                f"All {count:,} links and folders", on_change="rerun", key=f"passed-over-{passed.root.id}"
            )
            if box.open:
                with box:
                    lines = [f"{to_text(link.name)} → {to_text(link.target)}" for link in passed.links]
                    lines += [f"{to_text(one.path)}: {passed_over_texts.counted(one.kinds)}" for one in passed.folders]
                    st.code(shown_lines("\n".join(lines)), language=None, height=300)


def fact(label: str, value: str, source: str | None = None, *, tip: str | None = None) -> None:
    """A small block: what it is, its value, and where that comes from, below it or (`tip`) on hover."""
    with st.container(width="content", gap=None):
        st.caption(label)
        st.markdown(f"**{md(value)}**", help=None if tip is None else md(tip))
        if source is not None:
            st.caption(md(source))


def badge(word: str, color: str | None = None, *, icon: str | None = None, tip: str | None = None) -> None:
    """A word of our own as a badge, coloured by what it says about health or status."""
    st.badge(word, color=color or fmt.color(word), icon=icon or fmt.ICONS.get(word), help=tip)  # type: ignore[arg-type]


def health_badge(health: Health) -> None:
    """A checkpoint's health as a badge."""
    badge(fmt.HEALTH[health])


@contextmanager
def section(title: str, *, note: str | None = None) -> Iterator[None]:
    """A titled part of a page."""
    st.subheader(title, anchor=False)
    if note:
        st.caption(note)
    yield
