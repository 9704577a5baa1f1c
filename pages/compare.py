"""Which of these is better, and what differs?"""

from typing import NoReturn

import streamlit as st

from core.base.errors import NotFoundError
from core.base.records import Checkpoint, Run
from core.services.comparing import MOST_RUNS
from core.services.runs import RunFilter
from pages.parts.frame import acting, frame, links, service, url_state
from pages.parts.frame.text import md, shown
from pages.parts.metrics import compare_chart, compare_table, distances, ranking
from waypoint_resume.names import from_text, to_text

_CHOICES = 200


def asked() -> tuple[list[Run], list[str]]:
    """The runs that the URL names (`runs=ROOT:RUN`, repeated), and those of them that are not there."""
    reader, now = service.workspace().reader, service.workspace().now()
    found, missing = dict[tuple[str, str], Run](), list[str]()
    for value in st.query_params.get_all("runs"):
        root, _, path = value.partition(":")
        try:
            found.setdefault((root, path), reader.run(root, from_text(path), now))
        except (NotFoundError, ValueError):
            missing.append(value)
    return list(found.values()), missing


def choose(runs: list[Run]) -> None:
    """The box by which runs are added and taken away; the URL says at once which there are."""
    workspace = service.workspace()
    listed = workspace.reader.runs(RunFilter(), workspace.now(), limit=_CHOICES).items
    known = {links.compare_value(run.root, run.path): run for run in [*runs, *listed]}
    chosen = st.multiselect(
        "Runs",
        list(known),
        default=[links.compare_value(run.root, run.path) for run in runs],
        format_func=lambda value: shown(links.run_name(known[value].path)),
        max_selections=MOST_RUNS,
        placeholder="Add a run",
        key=f"compared-{len(runs)}",
    )
    if chosen != [links.compare_value(run.root, run.path) for run in runs]:
        st.query_params["runs"] = chosen
        st.rerun()


def two_checkpoints() -> tuple[Checkpoint, Checkpoint] | None:
    """The two checkpoints that the URL names (`checkpoints=ROOT:PATH`, twice); None where it names none."""
    values = st.query_params.get_all("checkpoints")
    if len(values) != 2:
        return None
    found = []
    for value in values:
        root, _, path = value.partition(":")
        try:
            found.append(service.workspace().reader.checkpoint(root, from_text(path)))
        except (NotFoundError, ValueError):
            frame.not_found(f"No checkpoint {to_text(path)[:200]!r} was found at the last look.")
    return found[0], found[1]


def compare_two(left: Checkpoint, right: Checkpoint) -> NoReturn:
    """The page of two checkpoints."""
    frame.head("Compare two checkpoints", icon=":material/compare_arrows:")
    with st.container(horizontal=True):
        for item in (left, right):
            links.checkpoint_link(item, label=f"{links.run_name(item.run)}: {links.local(item.path, item.run)}")
    compare_table.checkpoints(left, right)
    distances.draw(left, right)
    st.stop()


url_state.remember(links.COMPARE)
pair = two_checkpoints()
if pair is not None:
    compare_two(*pair)
runs, missing = asked()
now = frame.head(f"Compare {len(runs)} runs" if runs else "Compare", icon=":material/compare_arrows:")
for value in missing:
    st.warning(f"No run {md(to_text(value))} was found at the last look.", icon=":material/search_off:")
choose(runs)
if len(runs) < 2:
    frame.empty(
        ":material/compare_arrows:",
        "Choose at least two runs above, or select some on the Runs page, to see their curves over one another, "
        "what differs in their parameters, and the best checkpoint of each.",
    )
else:
    compared = compare_chart.curves(runs, now)
    ranking.draw(compared, now)
    compare_table.differences(compared)
    compare_chart.parameters(compared)
    compare_table.loads(compared)
acting.dialog()
