"""What differs between runs, as a table; and whether their checkpoints load into each other."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from core.base.errors import CoreError
from core.base.facts import Variable
from core.base.records import Checkpoint
from core.services.comparing import CheckpointComparison, Fact, RunComparison, compare_checkpoints
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.text import md, shorten, shown
from pages.parts.metrics.compare_chart import names
from pages.parts.metrics.ranking import latest_restorable
from pages.parts.tables.export import csv_button

_ROW, _HEAD, _MOST_ROWS = 35, 38, 20
_LISTED = 50


def differences(compared: RunComparison) -> None:
    """Parameters and facts of all runs, those that differ first; the others behind a switch."""
    with frame.section("What differs"):
        with st.container(horizontal=True, vertical_alignment="center"):
            everything = st.toggle("Also what is the same", key="all", bind="query-params")
            rows = [*compared.params, *_last_values(compared), *compared.facts]
            csv_button("comparison", ["", *names(compared.runs)], lambda: [[row.name, *row.texts] for row in rows])
        chosen = [row for row in rows if row.differs or everything]
        if not chosen:
            st.caption("Nothing that Waypoint knows of them differs.")
            return
        heads = names(compared.runs)
        table = pd.DataFrame({"": [shown(row.name) for row in chosen]})
        for number, head in enumerate(heads):
            table[head] = [_cell(row, number) for row in chosen]
        config = {head: st.column_config.TextColumn(alignment="right", width="medium") for head in heads}
        height = _HEAD + _ROW * min(len(chosen), _MOST_ROWS) + 2
        st.dataframe(
            table,
            hide_index=True,
            column_config={"": st.column_config.TextColumn(pinned=True, width="medium"), **config},
            height=height,
            key="differences",
            alt="What differs between the runs",
        )


def loads(compared: RunComparison) -> None:
    """Whether the checkpoints of the runs hold the same variables: asked on demand, for it reads the files."""
    with frame.section(
        "Do they load into each other?", note="By the variables of each run's latest restorable checkpoint."
    ):
        if not st.toggle("Read their files and tell", key="loads", bind="query-params"):
            return
        latest = [latest_restorable(run) for run in compared.runs]
        there = [(name, item) for name, item in zip(names(compared.runs), latest, strict=True) if item is not None]
        for name, item in zip(names(compared.runs), latest, strict=True):
            if item is None:
                st.caption(f"{md(name)} has no checkpoint that can be restored.")
        for name, item in there[1:]:
            st.markdown(f"**{md(there[0][0])}** ↔ **{md(name)}**")
            _pair(there[0][1], item)


def checkpoints(left: Checkpoint, right: Checkpoint) -> None:
    """Two checkpoints side by side: facts, and the variables by which a load of one into the other would fail."""
    try:
        pair = compare_checkpoints(service.workspace(), left, right)
    except (CoreError, OSError) as error:
        st.error(f"One of them cannot be read: {md(str(error))}", icon=":material/error:")
        return
    with frame.section("Side by side"):
        rows = [row for row in pair.facts if row.differs] + [row for row in pair.facts if not row.differs]
        here, there = _two_heads(left, right)
        table = pd.DataFrame(
            {"": [row.name for row in rows], here: [_cell(r, 0) for r in rows], there: [_cell(r, 1) for r in rows]}
        )
        st.dataframe(table, hide_index=True, height="content", key="two-facts", alt="Facts of the two checkpoints")
    with frame.section("Will it load?"):
        st.markdown(_verdict(pair))
        _details(pair)


def _pair(left: Checkpoint, right: Checkpoint) -> None:
    try:
        pair = compare_checkpoints(service.workspace(), left, right)
    except (CoreError, OSError) as error:
        st.caption(f":material/error: {md(links.run_name(right.run))}: {md(str(error))}")
        return
    st.markdown(_verdict(pair))
    st.caption(" ↔ ".join(md(links.local(item.path, item.run)) for item in (left, right)))
    if not pair.fits:
        with st.expander("Which variables"):
            _details(pair)


def _verdict(pair: CheckpointComparison) -> str:
    if pair.fits:
        same = fmt.count(pair.same, "variable")
        return f":green[:material/check_circle:] **yes**, {same}, the same names, shapes and dtypes"
    told = [
        (len(pair.only_left), "only in the first"),
        (len(pair.only_right), "only in the second"),
        (len(pair.differing), "with another shape or dtype"),
    ]
    parts = ", ".join(f"{count:,} {words}" for count, words in told if count)
    return f":red[:material/cancel:] **no**: {parts}; {fmt.count(pair.same, 'variable')} agree"


def _details(pair: CheckpointComparison) -> None:
    for title, found in (("Only in the first", pair.only_left), ("Only in the second", pair.only_right)):
        if found:
            st.markdown(f"**{title}**")
            _variables(found)
    if pair.differing:
        st.markdown("**With another shape or dtype**")
        rows = [(shown(one.name), _kind(one.left), _kind(one.right)) for one in pair.differing[:_LISTED]]
        st.dataframe(pd.DataFrame(rows, columns=["name", "first", "second"]), hide_index=True, height="content")


def _variables(found: Sequence[Variable]) -> None:
    rows = [(shown(one.name), _kind(one), fmt.ROLES[one.role]) for one in found[:_LISTED]]
    st.dataframe(pd.DataFrame(rows, columns=["name", "shape and dtype", "role"]), hide_index=True, height="content")
    if len(found) > _LISTED:
        st.caption(f"and {len(found) - _LISTED:,} more")


def _kind(variable: Variable) -> str:
    return f"{fmt.shape(variable.shape)} {variable.dtype}"


def _last_values(compared: RunComparison) -> list[Fact]:
    """The last value of each metric of each run."""
    found = []
    for row in compared.metrics:
        values = tuple(None if one is None else one.last.value for one in row.of_runs)
        texts = tuple(None if value is None else f"{value:.6g}" for value in values)
        found.append(Fact(name=f"last {row.tag}", texts=texts, numbers=values))
    return found


def _two_heads(left: Checkpoint, right: Checkpoint) -> tuple[str, str]:
    here, there = (shorten(shown(links.local(item.path, item.run))) for item in (left, right))
    return here, there if there != here else f"{there} "


def _cell(row: Fact, number: int) -> str:
    text, value = row.texts[number], row.numbers[number]
    if text is None:
        return fmt.NONE
    if row.name == "bytes" and value is not None:
        return fmt.size(int(value))
    if row.name in ("last saved", "saved at"):
        return fmt.exact(datetime.fromisoformat(text))
    return shown(text)
