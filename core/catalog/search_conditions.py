"""A search as conditions of SQL, for runs and for checkpoints. Portable: what is compared was folded beforehand.

Tags, levels, metrics and parameters are found by their indexes, which give the ids of the runs that have them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, CompoundSelect, and_, false, func, not_, or_, select, tuple_, union_all

from core.catalog.rows import to_us
from core.catalog.run_tables import run_levels, run_metrics, run_params, run_tags
from core.catalog.tables import checkpoints, runs
from core.search.fields import CHECKPOINT_FIELDS
from core.search.folding import SECTIONS
from core.search.meaning import Contains, InRange, IsOne, IsText, Named, Range, Search, Test

_CHECKPOINT_PATH = func.coalesce(checkpoints.c.folded, func.lower(checkpoints.c.path))
_RUN_COLUMNS: Mapping[str, Column[Any]] = {
    "favourite": runs.c.is_favourite,
    "deleted": runs.c.is_deleted,
    "saved": runs.c.last_saved_us,
    "changed": runs.c.changed_us,
    "size": runs.c.bytes,
    "step": runs.c.newest_step,
}
_CHECKPOINT_COLUMNS: Mapping[str, Column[Any]] = {
    "latest": checkpoints.c.is_latest,
    "saved": checkpoints.c.saved_at_us,
    "size": checkpoints.c.bytes,
}


def run_states(now_us: int) -> dict[str, ColumnElement[bool]]:
    """When a run has each status."""
    live, old = runs.c.live_until_us >= now_us, runs.c.stale_from_us <= now_us
    return {"live": live, "stale": and_(~live, old), "idle": and_(~live, ~old)}


def run_healths() -> dict[str, ColumnElement[bool]]:
    """When a run has each health."""
    bad, doubtful = runs.c.errors > 0, runs.c.warnings > 0
    return {"error": bad, "warning": and_(~bad, doubtful), "ok": and_(~bad, ~doubtful)}


def searched_runs(search: Search | None) -> list[ColumnElement[bool]]:
    """What a run's row must fulfil."""
    return _conditions(search, _run_test)


def searched_checkpoints(search: Search | None) -> list[ColumnElement[bool]]:
    """What a checkpoint's row must fulfil; of what it does not have itself, its run."""
    return _conditions(search, _checkpoint_test)


def _conditions(search: Search | None, as_sql: Callable[[Test, int], ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    if search is None:
        return []
    now_us = to_us(search.now)
    return [not_(as_sql(one.test, now_us)) if one.is_negated else as_sql(one.test, now_us) for one in search.conditions]


def _run_test(test: Test, now_us: int) -> ColumnElement[bool]:
    match test:
        case Contains():
            return runs.c.search.contains(test.text, autoescape=True)
        case Named():
            return runs.c.id.in_(_ids_named(test))
        case IsOne(field=field, value=str(value)):
            return (run_states(now_us) if field.name == "status" else run_healths())[value]
        case IsText(field=field) if field.name == "tag":
            return runs.c.id.in_(select(run_tags.c.run_id).where(_text(run_tags.c.folded, test)))
        case IsText(field=field):
            return _section(field.name, test)
        case IsOne() | InRange():
            return _column(_RUN_COLUMNS.get(test.field.name, runs.c.get(test.field.name)), test)


def _checkpoint_test(test: Test, now_us: int) -> ColumnElement[bool]:
    if isinstance(test, Contains):
        return or_(_CHECKPOINT_PATH.contains(test.text, autoescape=True), _of_run(test, now_us))
    if isinstance(test, Named) or CHECKPOINT_FIELDS.get(test.field.name) != test.field:
        return _of_run(test, now_us)
    if isinstance(test, IsText):
        return _text(_CHECKPOINT_PATH, test)
    return _column(_CHECKPOINT_COLUMNS.get(test.field.name, checkpoints.c.get(test.field.name)), test)


def _of_run(test: Test, now_us: int) -> ColumnElement[bool]:
    found = select(runs.c.root, runs.c.path).where(_run_test(test, now_us))
    return tuple_(checkpoints.c.root, checkpoints.c.run).in_(found)


def _column(column: Column[Any] | None, test: IsOne | InRange) -> ColumnElement[bool]:
    assert column is not None, test.field.name
    if isinstance(test, IsOne):
        return column.is_(test.value) if isinstance(test.value, bool) else column == test.value
    return and_(column.is_not(None), not_(_within(column, test.range))) if test.is_other else _known(column, test.range)


def _text(column: ColumnElement[Any], test: IsText) -> ColumnElement[bool]:
    return column == test.text if test.is_whole else column.contains(test.text, autoescape=True)


def _section(name: str, test: IsText) -> ColumnElement[bool]:
    """A part of what words are looked for in."""
    start, end = SECTIONS[name]
    text = "".join(f"/{letter}" if letter in "%_/" else letter for letter in test.text)
    before = (f"%{start}" if start else "") + ("" if test.is_whole else "%")
    after = ("" if test.is_whole else "%") + (f"{end}%" if end else "")
    return runs.c.search.like(before + text + after, escape="/")


def _within(column: ColumnElement[Any], values: Range[Any]) -> ColumnElement[bool]:
    bounds: list[ColumnElement[bool]] = []
    if values.low is not None:
        bounds.append(column >= values.low if values.has_low else column > values.low)
    if values.high is not None:
        bounds.append(column <= values.high if values.has_high else column < values.high)
    return and_(*bounds)


def _ids_named(test: Named) -> CompoundSelect[tuple[int]]:
    """The runs that have a level, metric or parameter of such a name and value; each way to have one by its index."""
    level, param, metric = run_levels.c, run_params.c, run_metrics.c
    value = metric[test.which.value]
    named = (
        (select(level.run_id).where(level.name == test.name), _ways(test, level.number, level.folded, level.day)),
        (select(param.run_id).where(param.name == test.name), _ways(test, param.number, param.folded)),
        (select(metric.run_id).where(metric.tag == test.name, value.is_not(None)), _ways(test, value)),
    )
    queries = [
        have.where(way) for have, ways in named for way in ([not_(or_(false(), *ways))] if test.is_other else ways)
    ]
    return union_all(*queries)


def _ways(
    test: Named, number: Column[Any], folded: Column[Any] | None = None, day: Column[Any] | None = None
) -> list[ColumnElement[bool]]:
    """The ways in which a value may be meant. Where there is no day, a part of a number is none that is looked for."""
    ways: list[ColumnElement[bool]] = []
    if test.range is not None:
        ways.append(_known(number, test.range))
    if day is not None and test.days is not None:
        ways.append(_known(day, test.days))
    if folded is not None and test.whole is not None:
        ways.append(folded == test.whole)
    if folded is not None and test.part is not None:
        part = folded.contains(test.part, autoescape=True)
        ways.append(part if day is not None else and_(number.is_(None), part))
    return ways


def _known(column: ColumnElement[Any], values: Range[Any]) -> ColumnElement[bool]:
    """Never null, so that its opposite holds where nothing is known."""
    return and_(column.is_not(None), _within(column, values))
