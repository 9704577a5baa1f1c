"""The list of runs as a workbench: metrics and parameters as columns, groups above, and acts on several runs."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import streamlit as st

from core.base.records import Run
from core.services import run_columns, tags
from core.services.metrics import RunMetric
from core.services.run_columns import BEST, LAST, PARAM, Choices, RunCells, RunGroup
from core.services.runs import RunFilter
from pages.parts.frame import acting, answers, links, service, url_state
from pages.parts.frame import format as fmt
from pages.parts.frame.text import shorten, shown
from pages.parts.tables import tables
from pages.parts.tables.tables import Column

_NO_GROUPS = "none"
_PLAIN = re.compile(r'[^\s"=!<>:-][^\s"=!<>:]*')  # what a search takes without quotes


def choices() -> Choices:
    """What columns can be chosen, as of the last look at the disk, but no older than a minute."""
    current = service.current()
    return _choices(tuple(root.id for root in current.workspace.reader.roots()), current.version)


@st.cache_data(ttl=60, max_entries=4, show_spinner=False)
def _choices(roots: tuple[str, ...], version: object) -> Choices:  # noqa: ARG001 - the cache compares them
    return run_columns.choices(service.workspace())


def columns_box(choices: Choices) -> list[str]:
    """The box in which metrics and parameters are chosen as columns."""
    names = list(dict.fromkeys(one.name for one in (*choices.metrics, *choices.params)))
    if not names:
        return []
    told = {one.name: "metric" for one in choices.metrics} | {one.name: "parameter" for one in choices.params}
    return st.multiselect(
        "Columns",
        names,
        default=[name for name in choices.at_first if name in names],
        format_func=lambda name: f"{shown(name)} ({told[name]})",
        key="columns",
        bind="query-params",
        placeholder="Choose metrics and parameters",
    )


def group_box(choices: Choices) -> str | None:
    """The box in which a level of paths or a parameter is chosen by which runs are grouped."""
    few = [one.name for one in choices.params if 1 < one.values <= 50]
    words = [_NO_GROUPS, *choices.levels, *(name for name in few if name not in choices.levels)]
    if len(words) == 1:
        return None
    chosen = st.selectbox("Group by", words, key="group", bind="query-params", format_func=shown, width=200)
    if chosen in (None, _NO_GROUPS):
        return None
    return chosen if chosen in choices.levels else f"{PARAM}{chosen}"


def sorts(choices: Choices) -> list[str]:
    """By what runs can be sorted beside what they are: the metrics and parameters that some of them have."""
    metrics = [f"{kind}{one.name}" for one in choices.metrics for kind in (BEST, LAST)]
    return metrics + [f"{PARAM}{one.name}" for one in choices.params]


def groups(where: RunFilter, text: str, by: str, choices: Choices, now: datetime) -> None:
    """A table of groups; a click on one searches for its runs."""
    found = run_columns.groups(service.workspace(), where, now, by=by, metric=choices.main)
    if not found:
        st.caption(f"No run that fits has a {shown(by.removeprefix(PARAM))}.")
        return
    name, most = by.removeprefix(PARAM), max(one.bytes for one in found)
    best = (
        Column[RunGroup](head=f"best {choices.main}", cell=lambda one: number(one.best), right=True)
        if choices.main is not None
        else None
    )
    columns = (
        Column[RunGroup](head=name, cell=lambda one: shorten(shown(one.value)), name=True),
        Column[RunGroup](head="runs", cell=lambda one: fmt.number(one.runs), right=True),
        Column[RunGroup](
            head="live", cell=lambda one: [f"{one.live} live"] if one.live else [], colors=lambda _: "blue"
        ),
        Column[RunGroup](head="file size", cell=lambda one: fmt.size(one.bytes), right=True),
        Column[RunGroup](head="share", cell=lambda one: one.bytes / most if most else 0.0, is_bar=True, width="small"),
        *((best,) if best is not None else ()),
        Column[RunGroup](head="health", cell=_health, colors=lambda word: "red" if "error" in word else "orange"),
    )
    is_level = by in choices.levels

    def query(one: RunGroup) -> dict[str, str]:
        kept = {key: value for key, value in url_state.present() if key not in ("q", "page", "group", url_state.BACK)}
        return {**kept, "q": f"{text} {quoted(name)}{':' if is_level else '='}{quoted(one.value)}".strip()}

    tables.show(columns, found, key="groups", alt=f"Runs by {name}", opens=(links.RUNS, query))


def chosen_columns(
    names: Sequence[str], choices: Choices, cells: Mapping[tuple[str, str], RunCells]
) -> list[Column[Run]]:
    """The columns of chosen metrics (a small curve, the best and the last value) and parameters."""
    found: list[Column[Run]] = []
    params = {one.name for one in choices.params}  # a learning rate may be both: the box calls it a parameter
    for name in names:
        if name in params:
            found.append(_of_param(name, cells))
        else:
            found += _of_metric(name, cells)
    return found


def actions(selected: Sequence[Run]) -> None:
    """What can be done to the runs that are selected."""
    if not selected:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="selected_runs"):
        st.markdown(f"**{fmt.count(len(selected), 'run')} selected**", width="stretch")
        query = [("runs", links.compare_value(run.root, run.path)) for run in selected]
        st.page_link(
            links.COMPARE,
            label="Compare",
            icon=":material/compare_arrows:",
            query_params=query,
            disabled=len(selected) < 2,
        )
        with st.popover("Tag…", icon=":material/sell:"):
            word = st.text_input("Tag", key="new_tag", placeholder="baseline", help="Tags are found by `tag:baseline`.")
            answers.button("Add to all", partial(_tag, list(selected), word), key="add_tag", disabled=not word.strip())


def _health(group: RunGroup) -> list[str]:
    told = ((group.errors, "with errors"), (group.warnings, "with warnings"))
    return [f"{count:,} {words}" for count, words in told if count]


def _tag(selected: Sequence[Run], word: str) -> None:
    workspace = service.workspace()
    changed: list[tuple[Run, tags.TagChange]] = []

    def add() -> None:
        for run in selected:
            before, after = tags.change_tags(workspace, run, tags.TagChange(add=(word.strip(),)))
            changed.append((run, tags.undoing(before, after)))

    def take_off() -> None:
        for run, change in changed:
            tags.change_tags(workspace, run, change)

    done = f"{fmt.count(len(selected), 'run')} tagged {word.strip()}."
    acting.act(add, done, undo=partial(acting.act, take_off, f"The tag {word.strip()} was taken off."))


def number(value: float | None) -> str:
    """A value of a metric with four digits, or a dash."""
    return fmt.NONE if value is None else f"{value:.4g}"


def quoted(text: str) -> str:
    """A name or value as a search takes it."""
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', '""') + '"'


def _of_metric(name: str, cells: Mapping[tuple[str, str], RunCells]) -> list[Column[Run]]:
    def metric(run: Run) -> RunMetric | None:
        found = cells.get((run.root, run.path))
        return None if found is None else found.metrics.get(name)

    def curve(run: Run) -> list[float]:
        found = cells.get((run.root, run.path))
        return [] if found is None else list(found.curves.get(name, ()))

    def best(run: Run) -> str:
        found = metric(run)
        return number(None if found is None or found.best is None else found.best.value)

    def last(run: Run) -> str:
        found = metric(run)
        return number(None if found is None else found.last.value)

    told = shown(name)
    is_loss = any(found.metrics[name].mode == "min" for found in cells.values() if name in found.metrics)
    return [
        Column[Run](head=told, cell=curve, is_line=True, width=110, help="The last attempt, in small."),
        Column[Run](head=f"best {told}", cell=best, sort=f"{BEST}{name}", least_first=is_loss, right=True),
        Column[Run](head=f"last {told}", cell=last, sort=f"{LAST}{name}", least_first=is_loss, right=True),
    ]


def _of_param(name: str, cells: Mapping[tuple[str, str], RunCells]) -> Column[Run]:
    def text(run: Run) -> str:
        found = cells.get((run.root, run.path))
        param = None if found is None else found.params.get(name)
        return fmt.NONE if param is None else shorten(shown(param.text))

    return Column[Run](head=shown(name), cell=text, sort=f"{PARAM}{name}", right=True)
