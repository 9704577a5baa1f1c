"""Which run?"""

import streamlit as st

from core.services import run_columns
from core.services.runs import RUN_SORTS, RunFilter
from core.services.sweeps import trial_results
from pages.parts.frame import acting, frame, links, service, url_state
from pages.parts.frame import format as fmt
from pages.parts.runs import kept_views, sweep_lists, workbench
from pages.parts.tables import lists, tables

STATUS = ("live", "idle", "stale")
HEALTH = ("ok", "warning", "error")

now = frame.head("Runs")
reader = service.workspace().reader
frame.root_problems(reader.roots())
with st.container(horizontal=True, vertical_alignment="bottom"):
    text = st.text_input(
        "Search", key="q", placeholder="part of a run's path", icon=":material/search:", **tables.FILTER
    )
    status = st.pills("Status", STATUS, selection_mode="multi", key="status", **tables.FILTER)
    health = st.pills("Health", HEALTH, selection_mode="multi", key="health", **tables.FILTER)
where = RunFilter(text=text or "", status=tuple(status), health=tuple(health))
choices = run_columns.choices(service.workspace())
with st.container(horizontal=True, vertical_alignment="bottom"):
    names, by = workbench.columns_box(choices), workbench.group_box(choices)
    kept_views.popover()
sort = tables.Sort.asked([*RUN_SORTS, *workbench.sorts(choices)], tables.Sort(by="last_saved"))
total = reader.runs(where, now, limit=1)
if by is not None:
    workbench.groups(where, text or "", by, choices, now)
offset = tables.pages(total.total)
order = run_columns.order_of(service.workspace(), sort.by)
page = reader.runs(where, now, sort=order, descending=sort.descending, limit=tables.PAGE_ROWS, offset=offset)
url_state.remember(links.RUNS)
if not offset:
    sweep_lists.sweeps(text or "")

if page.items:
    st.caption(
        f"{fmt.count(page.total, 'run')}, {fmt.size(page.total_bytes)} file size of checkpoints. "
        "Click a name to open the run, a column's head to sort by it."
    )
    above = st.container()
    selected = lists.runs(
        page.items,
        now,
        sort=sort,
        trials=trial_results(service.workspace(), [(run.root, run.path) for run in page.items]),
        chosen=workbench.chosen_columns(names, choices, run_columns.cells(service.workspace(), page.items, names)),
    )
    with above:
        workbench.actions(selected)
elif where == RunFilter():
    frame.empty(
        ":material/folder_open:",
        f"No runs were found yet. {frame.SET_ROOTS}",
    )
else:
    frame.empty(":material/filter_alt_off:", "No run fits these filters. Clear the search box or choose fewer.")
acting.dialog()
