"""Which run?"""

import streamlit as st

from core.services import run_columns
from core.services.runs import RUN_SORTS, RunFilter
from core.services.searching import search_runs
from core.services.sweeps import trial_results
from pages.parts.frame import acting, frame, links, service, url_state
from pages.parts.frame import format as fmt
from pages.parts.runs import kept_views, sweep_lists, workbench
from pages.parts.tables import lists, search_box, tables

STATUS = ("live", "idle", "stale")
HEALTH = ("ok", "warning", "error")

now = frame.head("Runs")
reader = service.workspace().reader
frame.root_problems(reader.roots())
asked = search_box.search_box(search_runs, now)
with st.container(horizontal=True, vertical_alignment="bottom"):
    status = st.pills("Status", STATUS, selection_mode="multi", key="status", **tables.FILTER)
    health = st.pills("Health", HEALTH, selection_mode="multi", key="health", **tables.FILTER)
where = RunFilter(search=asked.search, status=tuple(status), health=tuple(health))
choices = workbench.choices()
with st.container(horizontal=True, vertical_alignment="bottom"):
    names, by = workbench.columns_box(choices), workbench.group_box(choices)
    kept_views.popover()
sort = tables.Sort.asked([*RUN_SORTS, *workbench.sorts(choices)], tables.Sort(by="last_saved"))
if asked.error is not None:
    st.stop()
total = reader.runs(where, now, limit=1)
if by is not None:
    workbench.groups(where, asked.text, by, choices, now)
offset = tables.pages(total.total)
order = run_columns.order_of(service.workspace(), sort.by)
page = reader.runs(where, now, sort=order, descending=sort.descending, limit=tables.PAGE_ROWS, offset=offset)
url_state.remember(links.RUNS)
if not offset:
    sweep_lists.sweeps(asked.text)

if page.items:
    st.caption(
        f"{fmt.count(page.total, 'run')}, {fmt.size(page.total_bytes)} file size. "
        f"Click a name to open the run, a column's head to sort by it. {search_box.guessed_layouts()}"
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
    frame.empty(":material/filter_alt_off:", search_box.nothing_found(asked.search, "run"))
acting.dialog()
