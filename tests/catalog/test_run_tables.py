"""What is known of runs beside their files: tags, levels, metrics, parameters, and who forgets them."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, inspect, select, text

from core.base.records import Root
from core.catalog import migrations, writes
from core.catalog.engine import open_catalog
from core.catalog.rows import run_id
from core.catalog.run_metrics import (
    MetricPoint,
    RunMetric,
    RunParam,
    load_metrics,
    load_params,
    store_metrics,
    store_params,
)
from core.catalog.run_tables import OF_RUNS, layouts, run_tags
from core.catalog.tables import runs
from core.search.folding import DIVIDER, SECTIONS, fold, run_text
from tests.support.trees import a_run_row

LOSS = RunMetric(
    tag="val_loss",
    x_kind="step",
    source="tensorboard",
    count=3,
    first=MetricPoint(0.9, 1, 10.0),
    last=MetricPoint(0.4, 3, 30.0),
    min=MetricPoint(0.3, 2, 20.0),
    max=MetricPoint(0.9, 1, 10.0),
    mode="min",
)
RATE = RunParam("lr", "1e-3", 0.001, "hparams")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_catalog(tmp_path / "home")
    yield made
    made.dispose()


def store(engine: Engine, path: str, **fields: object) -> int:
    """A run with a metric, a parameter and whatever else; its id."""
    with engine.begin() as connection:
        writes.store_root(connection, Root(id="r00t", path="/data"), 1)
        writes.store_runs(connection, "r00t", [(a_run_row(path, **fields), [])])
        store_metrics(connection, "r00t", path, [LOSS, replace(LOSS, count=99)])
        store_params(connection, "r00t", path, [RATE])
    return run_id("r00t", path)


def counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [connection.scalar(select(func.count()).select_from(table)) or 0 for table in OF_RUNS]


def test_metrics_and_parameters_are_the_same_after_their_rows(engine: Engine) -> None:
    none = MetricPoint(None)
    odd = RunMetric(tag="a\udcffb", x_kind="epoch", source="csv", count=1, first=none, last=none, min=none, max=none)
    with engine.begin() as connection:
        store_metrics(connection, "r", "x", [LOSS, replace(odd, last=MetricPoint(math.nan, math.inf))])
        store_params(connection, "r", "x", [RATE, RunParam("opt", "ÄDAM", None, "json")])
        key = run_id("r", "x")
        assert load_metrics(connection, [key]) == {key: (replace(odd, tag=r"a\udcffb"), LOSS)}
        assert load_params(connection, [key]) == {key: (RATE, RunParam("opt", "ÄDAM", None, "json"))}


def test_a_run_that_is_written_again_keeps_its_metrics_and_one_that_is_forgotten_keeps_nothing(engine: Engine) -> None:
    key = store(engine, "exp/öne", tags='["Bäse","base","old"]')
    store(engine, "two")
    with engine.begin() as connection:
        writes.store_runs(connection, "r00t", [(a_run_row("exp/öne", tags='["new"]'), [])])
        assert load_metrics(connection, [key]) == {key: (LOSS,)}
        assert connection.execute(select(run_tags)).all() == [(key, "new")]
        writes.forget_runs(connection, "r00t", ["exp/öne"])
        assert load_metrics(connection, [key]) == {}
    assert counts(engine) == [0, 0, 1, 1, 0, 0]


def test_a_root_that_is_forgotten_leaves_nothing_of_its_runs(engine: Engine) -> None:
    store(engine, "one", tags='["old"]')
    with engine.begin() as connection:
        connection.execute(layouts.insert().values(root="r00t", layout="{run}", is_guess=True))
        writes.forget_roots(connection, [], after_seconds=1)
        assert connection.execute(select(layouts)).all() == []
    assert counts(engine) == [0] * len(OF_RUNS)


def test_a_catalog_from_before_gets_the_new_columns_with_their_index(tmp_path: Path) -> None:
    made = open_catalog(tmp_path)
    with made.begin() as connection:
        for table in (layouts, *OF_RUNS):
            table.drop(connection)
        for index in ("runs_by_id", "runs_for_lists"):
            connection.execute(text(f"DROP INDEX {index}"))
        for column in ("id", "search", "tags", "note", "owner", "is_favourite", "best_metric", "best_mode"):
            connection.execute(text(f"ALTER TABLE runs DROP COLUMN {column}"))
        connection.execute(text("ALTER TABLE checkpoints DROP COLUMN folded"))
        connection.execute(text("UPDATE schema_version SET version = 11"))
    made.dispose()
    opened = open_catalog(tmp_path)
    assert {column["name"] for column in inspect(opened).get_columns("runs")} == {column.name for column in runs.c}
    assert {"runs_by_id", "runs_for_lists"} <= {index["name"] for index in inspect(opened).get_indexes("runs")}
    store(opened, "one")
    assert migrations.migrate(opened) == len(migrations.MIGRATIONS)
    opened.dispose()


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("ﬁne", "fine"),
        ("\uff21\N{SUPERSCRIPT ONE}", "a1"),
        ("İstanbul", "istanbul"),
        ("推荐系统", "推荐系统"),
        (" a \n\t b ", "a b"),
        ("K", "k"),
    ],
)
def test_text_is_compared_without_case_and_accents(written: str, folded: str) -> None:
    assert fold(written) == folded


@given(st.text(), st.text())
def test_what_is_folded_stays_and_no_text_reaches_into_the_next(one: str, other: str) -> None:
    assert fold(fold(one)) == fold(one)
    assert DIVIDER not in fold(one)
    assert fold(one.upper().lower()) == fold(one.lower())
    whole = run_text(one, [other, one], other, one)
    for name, (start, end) in SECTIONS.items():
        assert (whole.count(start), whole.count(end)) == (1 if start else len(whole) + 1, 1 if end else len(whole) + 1)
        part = whole[whole.index(start) + len(start) : whole.index(end) if end else None]
        assert part == fold(other if name == "owner" else one)
