"""Searches by SQL find what the same search finds by hand, in any catalog; and large ones by their indexes."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, and_, create_engine, insert, select
from sqlalchemy.dialects import postgresql

from core.base.records import Finding, Root
from core.catalog import writes
from core.catalog.filters import CheckpointFilter, RunFilter, checkpoint_conditions, run_conditions
from core.catalog.levels import level_row
from core.catalog.migrations import migrate
from core.catalog.queries import Reader
from core.catalog.rows import run_id, to_us
from core.catalog.run_metrics import MetricPoint, RunMetric, RunParam, store_metrics, store_params
from core.catalog.run_tables import OF_RUNS, run_levels
from core.catalog.tables import checkpoints, runs
from core.search.fields import CHECKPOINT_FIELDS, RUN_FIELDS
from core.search.folding import fold, run_text
from core.search.grammar import Operator, Term, parse
from core.search.meaning import understand
from core.search.values import moments, number, span
from tests.support.trees import a_member, a_run_row

NOW = datetime(2026, 11, 28, 18, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Known:
    """All that is known of a run: its row, and what stands beside it."""

    path: str
    tags: tuple[str, ...] = ()
    owner: str = ""
    note: str = ""
    row: dict[str, object] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, tuple[float | None, ...]] = field(default_factory=dict)  # first, last, min, max
    params: dict[str, tuple[str, float | None]] = field(default_factory=dict)


def stored(engine: Engine, known: Sequence[Known]) -> Reader:
    """A catalog of these runs, each with a checkpoint."""
    with engine.begin() as connection:
        for table in (runs, *OF_RUNS):
            connection.execute(table.delete())
        writes.store_root(connection, Root(id="r00t", path="/data"), 1)
        rows: list[tuple[dict[str, object], list[Finding]]] = []
        for run in known:
            said = {"tags": json.dumps(run.tags) if run.tags else "", "owner": run.owner, "note": run.note}
            search = run_text(run.path, run.tags, run.owner, run.note)
            rows.append((a_run_row(run.path, **run.row, **said, search=search), []))
        writes.store_runs(connection, "r00t", rows)
        for run in known:
            store_metrics(connection, "r00t", run.path, [metric(tag, values) for tag, values in run.metrics.items()])
            store_params(
                connection, "r00t", run.path, [RunParam(name, *value, "x") for name, value in run.params.items()]
            )
            levels = [level_row(run_id("r00t", run.path), name, value) for name, value in run.levels.items()]
            if levels:
                connection.execute(insert(run_levels), levels)
    return Reader(engine, ["r00t"])


def metric(tag: str, values: tuple[float | None, ...]) -> RunMetric:
    first, last, least, most = (MetricPoint(value) for value in values)
    return RunMetric(
        tag=tag, x_kind="step", source="x", count=2, first=first, last=last, min=least, max=most, mode="min"
    )


# What a search means, once more and in plain words


def holds(term: Term, run: Known) -> bool:
    return plainly(term, run) != term.is_negated


def plainly(term: Term, run: Known) -> bool:  # noqa: PLR0911 - a way of each kind
    if term.operator is None or term.value is None:
        word = fold(term.word.text)
        return any(word in fold(one) for one in (run.path, run.owner, run.note, *run.tags))
    name, how, value = term.word.text, term.operator, term.value.text
    is_opposite = how is Operator.IS_NOT
    texts = {"path": (run.path,), "run": (run.path,), "owner": (run.owner,), "note": (run.note,), "tag": run.tags}
    if term.word.is_quoted:
        return named(name, "last", how, value, run)
    if name in texts:
        found = [fold(one) for one in texts[name]]
        return (
            (fold(value) in found) != is_opposite if how is not Operator.HAS else any(fold(value) in x for x in found)
        )
    if name in ("status", "health", "favourite", "deleted"):
        return (state(name, run) == value) != is_opposite
    if name in ("saved", "changed"):
        return timed(run.row.get({"saved": "last_saved_us", "changed": "changed_us"}[name]), how, value)
    if name in RUN_FIELDS:
        have = run.row.get({"size": "bytes", "step": "newest_step"}.get(name, name))
        want = number(value)
        assert want is not None
        return isinstance(have, int) and compared(float(have), how, want, want)
    before, _, which = name.rpartition(".")
    if which in ("first", "last", "min", "max", "best"):
        return named(before, which, how, value, run)
    return named(name, "last", how, value, run)


def state(name: str, run: Known) -> str:
    if name in ("favourite", "deleted"):
        return "yes" if run.row[f"is_{name}"] else "no"
    if name == "health":
        return "error" if run.row["errors"] else "warning" if run.row["warnings"] else "ok"
    now = to_us(NOW)
    if run.row["live_until_us"] >= now:  # type: ignore[operator]
        return "live"
    return "stale" if run.row["stale_from_us"] <= now else "idle"  # type: ignore[operator]


def compared(have: float | str, how: Operator, first: float | str, last: float | str) -> bool:
    outcomes = {
        Operator.LESS: have < first,  # type: ignore[operator]
        Operator.AT_MOST: have <= last,  # type: ignore[operator]
        Operator.MORE: have > last,  # type: ignore[operator]
        Operator.AT_LEAST: have >= first,  # type: ignore[operator]
        Operator.IS_NOT: not first <= have <= last,  # type: ignore[operator]
    }
    return outcomes.get(how, first <= have <= last)  # type: ignore[operator]


def timed(have_us: object, how: Operator, value: str) -> bool:
    if not isinstance(have_us, int):
        return False
    have = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=have_us)
    if (age := span(value)) is not None:
        old = NOW - have
        return {"<": old < age, "<=": old <= age, ">": old > age, ">=": old >= age}[how]
    found = moments(value)
    assert found is not None
    return compared(have.timestamp(), how, found.start.timestamp(), found.end.timestamp() - 1e-6)


def named(name: str, which: str, how: Operator, value: str, run: Known) -> bool:
    want = number(value)
    near = None if want is None else (want - abs(want) * 1e-6, want + abs(want) * 1e-6)
    positive = Operator.IS if how is Operator.IS_NOT else how

    def is_number(have: float | None) -> bool:
        return have is not None and near is not None and compared(have, positive, *near)

    def is_text(have: str, *, parts: bool) -> bool:
        if how is Operator.HAS:
            return parts and fold(value) in fold(have)
        return how in (Operator.IS, Operator.IS_NOT) and fold(have) == fold(value)

    found = []
    if name in run.metrics:
        first, last, least, most = run.metrics[name]
        have = {"first": first, "last": last, "min": least, "max": most, "best": least}[which]
        found += [is_number(have)] if have is not None else []
    if name in run.params:
        written, have = run.params[name]
        found.append(is_number(have) or is_text(written, parts=have is None))
    if name in run.levels:
        level = run.levels[name]
        found.append(is_number(number(level)) or is_day(level, positive, value) or is_text(level, parts=True))
    return any(one != (how is Operator.IS_NOT) for one in found)


def is_day(have: str, how: Operator, value: str) -> bool:
    digits = have.replace("-", "")
    if len(digits) != 8:
        return False
    here = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    if (age := span(value)) is not None and how not in (Operator.IS, Operator.HAS):
        then = (NOW - age).date().isoformat()
        return {"<": here > then, "<=": here >= then, ">": here < then, ">=": here <= then}[how]
    asked = moments(value)
    if asked is None or "-" not in value:
        return False
    return compared(here, how, asked.start.date().isoformat(), (asked.end - timedelta(seconds=1)).date().isoformat())


# Random catalogs and random searches over them

PARTS = ("Ads", "café", "exp_1", "a%b", "2026-11-01", "x/y", "推荐")
ALL_PATHS = [f"{first}/{last}" for first in PARTS for last in PARTS]
numbers = st.sampled_from([0.0, 1.0, -2.5, 0.3, 0.30000001192092896, 0.3001, 1e9])
small = st.integers(0, 3)
pieces = st.sampled_from(["", "Base line", "Ädä", "100%", "a_b", "_", "/", "lr"])
times = st.sampled_from(
    [NOW, NOW - timedelta(days=7), NOW - timedelta(days=7, microseconds=1), NOW - timedelta(days=60)]
)
times |= st.sampled_from(
    [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC) - timedelta(microseconds=1)]
)
levels = st.sampled_from(["2026-11-01", "2026-10-31", "20261101", "7", "Ada", "café"])
rows = st.fixed_dictionaries(
    {
        "checkpoints": small,
        "restorable": small,
        "series": small,
        "bytes": st.sampled_from([0, 999, 1000, 1 << 30, 1 << 40]),
        "newest_step": st.none() | small,
        "errors": small,
        "warnings": small,
        "last_saved_us": st.none() | times.map(to_us),
        "changed_us": st.none() | times.map(to_us),
        "live_until_us": times.map(to_us),
        "stale_from_us": times.map(to_us),
        "is_favourite": st.booleans(),
        "is_deleted": st.booleans(),
    }
)
catalogs = st.lists(
    st.builds(
        Known,
        path=st.sampled_from(ALL_PATHS),
        tags=st.lists(st.sampled_from(["base", "Base-2", "Ä", "100%"]), max_size=2, unique=True).map(tuple),
        owner=pieces,
        note=pieces,
        row=rows,
        levels=st.dictionaries(st.sampled_from(["user", "date"]), levels, max_size=2),
        metrics=st.dictionaries(
            st.sampled_from(["loss", "lr", "loss.best"]), st.tuples(*[st.none() | numbers] * 4), max_size=2
        ),
        params=st.dictionaries(
            st.sampled_from(["lr", "opt", "user"]),
            numbers.map(lambda one: (str(one), one)) | st.sampled_from([("Adam", None), ("a_b", None)]),
            max_size=2,
        ),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda run: run.path,
)
equal = st.sampled_from([":", "=", "!="])
every = st.sampled_from(list(Operator))


def written(name: str, how: str, value: str) -> str:
    return f'{name}{how}"{value}"' if " " in value else f"{name}{how}{value}"


values = st.sampled_from(["0.3", "1", "-2.5", "1k", "1GB", "0.30000001"])
named_values = values | st.sampled_from(["2026-11-01", "2026-11", "7d", "adam", "ada", "a_b", "_", "7", "20261101"])
terms = st.one_of(
    st.sampled_from(["ads", "CAFE", "%", "_", "y", "/", "base", "推", '"base line"', "lr", "1", '"a%b"']),
    st.builds(
        written,
        st.sampled_from(["path", "run", "owner", "note", "tag"]),
        equal,
        st.sampled_from(["ada", "%", "_", "Base", "ä", "/", "cafe/cafe", "lr", "base-2"]),
    ),
    st.builds(written, st.sampled_from(["owner", "note"]), st.sampled_from(["=", "!="]), st.just('""')),
    st.builds(written, st.just("status"), equal, st.sampled_from(["live", "idle", "stale"])),
    st.builds(written, st.just("health"), equal, st.sampled_from(["ok", "warning", "error"])),
    st.builds(written, st.sampled_from(["favourite", "deleted"]), equal, st.sampled_from(["yes", "no"])),
    st.builds(
        written, st.sampled_from(["saved", "changed"]), every, st.sampled_from(["2026-11-01", "2026-11", "2026"])
    ),
    st.builds(written, st.sampled_from(["saved", "changed"]), st.sampled_from(["<", "<=", ">", ">="]), st.just("7d")),
    st.builds(
        written,
        st.sampled_from(["size", "checkpoints", "restorable", "series", "step", "errors", "warnings"]),
        every,
        values,
    ),
    st.builds(
        written,
        st.sampled_from(["loss", "lr", "opt", "user", "date", "loss.best", '"loss.best"', "lr.max", "none"]),
        every,
        named_values,
    ),
)
searches = st.lists(st.tuples(st.booleans(), terms), min_size=1, max_size=3).map(
    lambda some: " ".join(f"{'-' * is_negated}{term}" for is_negated, term in some)
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://")
    migrate(made)
    yield made
    made.dispose()


def has_meaning(search: str) -> bool:
    try:
        understand(search, NOW)
    except ValueError:
        return False
    return True


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(catalogs, st.lists(searches.filter(has_meaning), min_size=1, max_size=6))
def test_sql_finds_what_plain_python_finds(engine: Engine, known: list[Known], asked: list[str]) -> None:
    reader = stored(engine, known)
    for search in asked:
        want = sorted(run.path for run in known if all(holds(term, run) for term in parse(search)))
        page = reader.runs(RunFilter(search=understand(search, NOW)), NOW, sort="path", descending=False, limit=None)
        assert (sorted(run.path for run in page.items), page.total) == (want, len(want)), search


@pytest.mark.parametrize(
    ("search", "is_found"),
    [
        ("rate=0.3", True),
        ("rate=0.3001", False),
        ("rate<=0.3", True),
        ("rate<0.3", False),
        ("rate:0.3", True),
        ("rate:3", False),
        ("opt:dam", True),
        ("opt!=sgd", True),
        ("none!=sgd", False),
        ("-none=sgd", True),
        ("date:2026-11", True),
        ("date:2026", True),
        ("date>=2026-11-02", False),
        ("date<30d", True),
        ("-acc>0.5", True),
        ("acc!=0.5", False),
    ],
)
def test_what_a_named_value_is(engine: Engine, search: str, is_found: bool) -> None:
    params: dict[str, tuple[str, float | None]] = {"rate": ("0.30000001192", 0.30000001192), "opt": ("Adam", None)}
    known = Known(path="x/y", params=params, levels={"date": "2026-11-01"}, metrics={"acc": (None,) * 4})
    found = stored(engine, [known]).runs(RunFilter(search=understand(search, NOW)), NOW).total
    assert bool(found) == is_found


# Checkpoints


CHECKPOINTS = (
    a_member("ckpt-1", folder="ads-one/ckpts", restorable=True),
    a_member("Größe", folder="ads-one/ckpts", restorable=False, minute=5),
    a_member("ckpt-2", folder="two/ckpts", restorable=True, minute=9),
)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", "ckpt-1 Größe ckpt-2"),
        ("ckpt-", "ckpt-1 ckpt-2"),
        ("GROSSE", "Größe"),
        ("path:ads -path:große", "ckpt-1"),
        ("base", "ckpt-1 Größe"),
        ("tag:base restorable:no", "Größe"),
        ("loss<0.3", "ckpt-2"),
        ("-loss<0.3 owner=ada", "ckpt-1 Größe"),
        ("saved>2026-01-31T09:34", "Größe ckpt-2"),
        ("format:tf-bundle status:idle", "ckpt-1 Größe ckpt-2"),
        ("errors>0", "ckpt-1 Größe"),
    ],
)
def test_checkpoints_are_found_by_themselves_and_by_their_run(engine: Engine, search: str, found: str) -> None:
    idle: dict[str, object] = {"live_until_us": 0, "stale_from_us": to_us(NOW) + 1}
    stored(
        engine,
        [
            Known(path="ads-one", tags=("base",), owner="ada", row={**idle, "errors": 1}),
            Known(path="two", row=idle, metrics={"loss": (0.9, 0.2, 0.1, 0.9)}),
        ],
    )
    with engine.begin() as connection:
        connection.execute(checkpoints.delete())
        writes.store_checkpoints(connection, [], CHECKPOINTS)
    meant = understand(search, NOW, {**RUN_FIELDS, **CHECKPOINT_FIELDS})
    items = Reader(engine, ["r00t"]).checkpoints(CheckpointFilter(search=meant), descending=False).items
    assert [item.path.rpartition("/")[2] for item in items] == found.split()


# Large catalogs


def test_it_is_sql_that_postgresql_takes_too() -> None:
    """Compiled with its values by that dialect: no function of SQLite's own, and booleans are none of its numbers."""
    every_kind = (
        'word tag:a note:b path=c status:live health:ok favourite:yes saved<7d size>1k lr=1 "x"!=y -loss.best<1'
    )
    run_search = RunFilter(search=understand(every_kind, NOW))
    fields = {**RUN_FIELDS, **CHECKPOINT_FIELDS}
    of_checkpoints = CheckpointFilter(search=understand(f"{every_kind} restorable:yes format:keras", NOW, fields))
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for conditions in (run_conditions(run_search, 0), checkpoint_conditions(of_checkpoints)):
        sql = str(and_(*conditions).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        called = {name.lower() for name in re.findall(r"(\w+)\(", sql)}
        assert called - {"in", "and", "or", "not", "select", "where"} <= {"lower", "coalesce"}
        assert "IS true" in sql
        assert "like" in sql.lower()


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ("val_loss<0.3", "run_metrics_by_last (tag=? AND last>? AND last<?)"),
        ("val_loss.best<0.3", "run_metrics_by_best (tag=? AND best>? AND best<?)"),
        ("lr=0.001", "run_params_by_number (name=? AND number>? AND number<?)"),
        ("opt=adam", "run_params_by_text (name=? AND folded=?)"),
        ("user=alice", "run_levels_by_value (name=? AND folded=?)"),
        ("date>2026-11-01", "run_levels_by_day (name=? AND day>?)"),
        ("tag=base", "run_tags_by_tag (folded=?)"),
    ],
)
def test_values_are_found_by_an_index(engine: Engine, search: str, index: str) -> None:
    (condition,) = run_conditions(RunFilter(search=understand(search, NOW)), 0)
    compiled = select(runs.c.id).where(condition).compile(engine)
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.params[name] for name in compiled.positiontup or ())
        )
        steps = [str(row[-1]) for row in plan]
    assert any(f"COVERING INDEX {index}" in step for step in steps), steps
