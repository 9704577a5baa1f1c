"""Lists of runs: keys first, by an index; the same order whichever way a metric's values are looked up."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from core.base.records import Root
from core.catalog import run_order, writes
from core.catalog.filters import RunFilter, run_conditions
from core.catalog.migrations import migrate
from core.catalog.queries import Reader
from core.catalog.run_metrics import MetricPoint, RunMetric, store_metrics
from core.catalog.run_order import keys_by_column
from core.catalog.tables import runs
from core.search.folding import run_text
from core.search.meaning import Which, understand
from tests.support.trees import START, a_run_row

VALUES = [0.5, None, 0.1, 0.5, 0.9, None, 0.3, 0.1, 0.7, 0.2]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Ten runs, eight of which have a value, two and two the same; another root has the best."""
    made = create_engine("sqlite://")
    migrate(made)
    with made.begin() as connection:
        for root, values in (("r00t", VALUES), ("else", [0.0])):
            writes.store_root(connection, Root(id=root, path=f"/{root}"), 1)
            rows = [a_run_row(f"run-{n}", bytes=n, search=run_text(f"run-{n}", (), "", "")) for n in range(len(values))]
            writes.store_runs(connection, root, [({**row, "root": root}, []) for row in rows])
            for number, value in enumerate(values):
                if value is not None:
                    at = MetricPoint(value)
                    told = RunMetric(tag="loss", x_kind="step", source="x", count=1, first=at, last=at, min=at, max=at)
                    store_metrics(connection, root, f"run-{number}", [told])
    yield made
    made.dispose()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("search", ["run", "-run-4", "loss<0.6"])
def test_pages_of_both_ways_are_one_list(
    engine: Engine, search: str, descending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(engine, ["r00t"])
    sort = reader.value_sort("loss", Which.LAST)
    assert sort is not None
    where = RunFilter(search=understand(search, START))

    def listed(limit: int | None, offset: int = 0) -> list[str]:
        page = reader.runs(where, START, sort=sort, descending=descending, limit=limit, offset=offset)
        return [run.path for run in page.items]

    whole = listed(None)
    known = [VALUES[int(path[-1])] for path in whole]
    given = [value for value in known if value is not None]
    assert given == sorted(given, reverse=descending)
    assert known == [*given, *[None] * (len(known) - len(given))]
    for is_by_index in (False, True):
        monkeypatch.setattr("core.catalog.run_queries.is_by_index", lambda *_, answer=is_by_index: answer)
        assert [path for offset in range(0, 12, 3) for path in listed(3, offset)] == whole


@pytest.mark.parametrize(
    ("fitting", "wanted", "is_sooner"), [(100_000, 100, True), (5_000, 100, True), (2_500, 100, False), (50, 10, False)]
)
def test_an_index_of_values_serves_where_many_of_all_fit(fitting: int, wanted: int, is_sooner: bool) -> None:
    assert run_order.is_by_index(fitting, wanted, lambda: 100_000) == is_sooner


@pytest.mark.parametrize("search", ["", "run", "size>3 errors=0"])
def test_the_first_of_a_list_come_from_one_index_in_its_order(engine: Engine, search: str) -> None:
    where = RunFilter(search=understand(search, START))
    conditions = [runs.c.root.in_(["r00t"]), *run_conditions(where, 0)]
    compiled = (
        keys_by_column(runs.c.last_saved_us, True, conditions)
        .limit(100)
        .compile(engine, compile_kwargs={"literal_binds": True})
    )
    with engine.connect() as connection:
        steps = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}".replace("%%", "%"))]
    assert steps[0] == "SEARCH runs USING COVERING INDEX runs_for_lists (root=?)"
    assert not any("FOR ORDER BY" in step for step in steps)  # but for the part of equal times
