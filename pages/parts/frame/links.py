"""Where pages lead: URLs that a colleague can open, and the way back to the list one came from.

What stands in a URL is untrusted: it is only ever looked up in the catalog, never opened.
"""

from typing import NoReturn

import streamlit as st

from core.base.records import Checkpoint
from pages.parts.frame import url_state
from pages.parts.frame.pages import PAGES
from pages.parts.frame.text import md, shorten, shown
from waypoint_resume.names import from_text, to_text

OVERVIEW, RUNS, RUN = "overview.py", "runs.py", "run.py"
CHECKPOINTS, CHECKPOINT, RESUME = "checkpoints.py", "checkpoint.py", "resume.py"
HEALTH, STORAGE, SWEEP, COMPARE = "health.py", "storage.py", "sweep.py", "compare.py"
BATCH = "batch"  # in the query of STORAGE: the id of the batch that it begins with
_BACK_TO = {row.file: row.back for row in PAGES}


def run_query(root: str, run: str) -> dict[str, str]:
    """The query of a run's page."""
    return {"root": root, "run": to_text(run)}


def sweep_query(root: str, sweep: str) -> dict[str, str]:
    """The query of a sweep's page."""
    return {"root": root, "sweep": to_text(sweep) or "."}


def checkpoint_query(checkpoint: Checkpoint) -> dict[str, str]:
    """The query of a checkpoint's page."""
    return {**run_query(checkpoint.root, checkpoint.run), "path": to_text(checkpoint.path)}


def compare_value(root: str, path: str) -> str:
    """A run or checkpoint as the query of the page that compares names it, once for each: `runs=ROOT:RUN`."""
    return f"{root}:{to_text(path)}"


def open_checkpoint(checkpoint: Checkpoint) -> NoReturn:
    """Go to a checkpoint's page."""
    url_state.leave_for(CHECKPOINT, checkpoint_query(checkpoint))


def run_link(root: str, run: str, *, icon: str | None = None) -> None:
    """A link to a run."""
    st.page_link(RUN, label=md(shorten(shown(run_name(run)))), icon=icon, query_params=run_query(root, run))


def checkpoint_link(checkpoint: Checkpoint, *, label: str | None = None, icon: str | None = None) -> None:
    """A link to a checkpoint, by its path within the run unless a label is given."""
    label = md(shorten(shown(label or local(checkpoint.path, checkpoint.run))))
    st.page_link(CHECKPOINT, label=label, icon=icon, query_params=checkpoint_query(checkpoint))


def back(default: str = RUNS) -> None:
    """The way back to the list that one came from, with its filters."""
    page, query = url_state.list_before(default)
    st.page_link(page, label=_BACK_TO[page], icon=":material/arrow_back:", query_params=list(query))


def asked(name: str) -> str:
    """A value of the URL as a name on disk; '' when it is missing."""
    value = st.query_params.get(name, "")
    try:
        return from_text(value)
    except ValueError:
        return ""


def run_name(run: str) -> str:
    """How a run is called; the run that is its root has no name of its own."""
    return "(the root itself)" if run == "." else run


def local(path: str, run: str) -> str:
    """A path relative to its run, for showing."""
    return path if run == "." else path.removeprefix(f"{run}/")
