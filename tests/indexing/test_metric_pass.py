"""The part of a pass that reads what runs logged: what is read on, what is not opened, what is forgotten, and that the
catalog knows afterwards what a new one would.
"""

import json
import os
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.background.indexer import Indexer
from core.catalog.run_tables import metric_files, metric_series, run_metrics, run_params
from core.indexing import metric_reading, passes
from core.indexing.stamp import current_stamp
from core.metrics.records import Position, Reading
from core.metrics.registry import read_metrics
from core.metrics.spec import MetricSource
from core.services import metrics
from core.services.workspace import Workspace
from core.stores.store import Store
from tests.conftest import Opener
from tests.support.trees import save


@pytest.fixture
def opened(tmp_path: Path, workspace: Opener) -> Workspace:
    for run in ("a", "b"):
        save(tmp_path / "runs" / run, 1)
        log(tmp_path / "runs" / run, 0, 3)
    found = workspace(tmp_path / "runs")
    found.refresh()
    return found


def log(run: Path, first: int, end: int, name: str = "training.csv") -> None:
    """Append epochs to a table like that of Keras' CSVLogger."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / name).open("a") as file:
        if not file.tell():
            file.write("epoch,loss\n")
        file.writelines(f"{epoch},{1 / (epoch + 1)}\n" for epoch in range(first, end))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every call of a reader of metrics: the file and the offset."""
    calls: list[tuple[str, int]] = []

    def counted(store: Store, path: str, source: MetricSource, position: Position | None = None) -> Reading:
        calls.append((path, 0 if position is None else position["offset"]))
        return read_metrics(store, path, source, position)

    monkeypatch.setattr(metric_reading, "read_metrics", counted)
    return calls


def losses(workspace: Workspace, run: str) -> tuple[int, float | None]:
    """How many points a run's loss has, and the last."""
    found = workspace.find_run(run)
    loss = metrics.metrics(workspace, found.root, found.path).metric("loss")
    return (0, None) if loss is None else (loss.count, loss.last.value)


def known(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """What the catalog knows of metrics, without where reading goes on."""
    found = {}
    with workspace.engine.connect() as connection:
        for table in (metric_files, metric_series, run_metrics, run_params):
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
            for row in rows:
                row.pop("position", None)
            found[table.name] = sorted(rows, key=lambda row: (row.get("path", ""), row.get("tag", ""), str(row)))
    return found


def test_a_file_that_grew_is_read_on_and_no_other_is_opened(opened: Workspace, reads: list[tuple[str, int]]) -> None:
    file = Path(opened.settings.roots[0]) / "a" / "training.csv"
    end = file.stat().st_size
    opened.refresh()
    assert reads == []
    log(file.parent, 3, 5)
    report = opened.refresh()
    assert reads == [("a/training.csv", end)]
    assert (report.metric_files, report.metric_files_waiting) == (1, 0)
    assert (losses(opened, "a"), losses(opened, "b")) == ((5, 0.2), (3, 1 / 3))


def test_a_file_that_goes_takes_what_it_told(opened: Workspace) -> None:
    root = Path(opened.settings.roots[0])
    (root / "a" / "training.csv").unlink()
    shutil.rmtree(root / "b")
    opened.refresh()
    assert losses(opened, "a") == (0, None)
    assert all(rows == [] for rows in known(opened).values())


def test_another_reader_of_a_source_reads_its_files_again(
    opened: Workspace, reads: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(opened.settings.roots[0]) / "a" / "params.json").write_text('{"lr": 0.1}')
    opened.refresh()
    reads.clear()
    now = current_stamp()
    newer = replace(now, metrics="another", metric_readers={**now.metric_readers, "csv": "newer"})
    monkeypatch.setattr(passes, "current_stamp", lambda: newer)
    before = known(opened)
    opened.refresh(deep=False)
    opened.refresh(deep=False)
    assert sorted(reads) == [("a/training.csv", 0), ("b/training.csv", 0)]
    after = known(opened)
    assert [row["read_by"] for row in after["metric_files"] if row["source"] == "csv"] == ["newer", "newer"]
    assert {**before, "metric_files": []} == {**after, "metric_files": []}


def test_what_is_left_is_read_by_the_next_pass(opened: Workspace, reads: list[tuple[str, int]]) -> None:
    root = Path(opened.settings.roots[0])
    for run in ("a", "b"):
        log(root / run, 3, 6)
    report = opened.refresh(metrics_seconds=1e-9)
    assert (report.metric_files, report.metric_files_waiting) == (1, 1)
    assert sorted((losses(opened, "a")[0], losses(opened, "b")[0])) == [3, 6]
    left = opened.find_run("a" if losses(opened, "a")[0] == 3 else "b")
    assert metrics.metrics(opened, left.root, left.path).is_waiting
    assert opened.refresh(metrics_seconds=0).metric_files == 0
    assert opened.refresh().metric_files == 1
    assert (losses(opened, "a")[0], losses(opened, "b")[0]) == (6, 6)


def test_damage_names_its_file_and_place_and_the_rest_goes_on(opened: Workspace) -> None:
    file = Path(opened.settings.roots[0]) / "a" / "training.csv"
    place = file.stat().st_size
    with file.open("a") as lines:
        lines.write("three,0.5\n")
    log(file.parent, 4, 6)
    opened.refresh()
    run = opened.find_run("a")
    found = metrics.metrics(opened, run.root, run.path)
    assert [(one.path, one.offset) for one in found.problems] == [("a/training.csv", place)]
    assert losses(opened, "a") == (5, 1 / 6)


def test_files_follow_their_folder_into_another_run(tmp_path: Path, workspace: Opener, opened: Workspace) -> None:
    root = Path(opened.settings.roots[0])
    log(root / "a" / "part", 0, 2, "other.csv")
    save(root / "a" / "part", 1)
    opened.refresh()
    assert (losses(opened, "a"), losses(opened, "a/part")) == ((3, 1 / 3), (2, 0.5))
    merged = workspace(root, run_pattern=("*",))
    merged.refresh()
    found = sorted((row["tag"], row["count"]) for row in known(merged)["run_metrics"])
    assert found == [("loss", 3), ("loss", 3), ("part/loss", 2)]
    assert {row["run"] for row in known(merged)["metric_files"]} == {"a", "b"}
    apart = workspace(root)
    apart.refresh()
    assert (losses(apart, "a"), losses(apart, "a/part")) == ((3, 1 / 3), (2, 0.5))
    assert known(apart) == known(fresh(apart, workspace, tmp_path / "other"))


def fresh(opened: Workspace, workspace: Opener, home: Path) -> Workspace:
    """A workspace over the same roots with a new catalog."""
    shutil.rmtree(home, ignore_errors=True)
    other = workspace(*map(Path, opened.settings.roots), home=home)
    other.refresh()
    return other


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_the_catalog_knows_what_a_new_one_would(
    opened: Workspace, workspace: Opener, tmp_path: Path, seed: int
) -> None:
    drawn = random.Random(seed)
    root = Path(opened.settings.roots[0])
    for step in range(12):
        run = root / drawn.choice(("a", "b", "c", "a/inner"))
        change = drawn.randrange(6)
        if change == 0:
            log(run, step, step + drawn.randrange(1, 400), drawn.choice(("training.csv", "val.csv")))
        elif change == 1:
            save(run, step + 2)
        elif change == 2 and run.exists():
            (run / "params.json").write_text(json.dumps({"step": step, "lr": drawn.random()}))
        elif change == 3 and run.exists():
            shutil.rmtree(run)
        elif change == 4:
            for file in sorted(root.rglob("*.csv"))[:1]:
                os.truncate(file, drawn.randrange(file.stat().st_size + 1))
        else:
            for file in sorted(root.rglob("*.csv"))[-1:]:
                file.rename(file.with_name(f"{step}.csv"))
        opened.refresh(deep=bool(drawn.randrange(2)), metrics_seconds=drawn.choice((0, 1e-9, None)))
    opened.refresh(metrics_seconds=None)
    assert known(opened) == known(fresh(opened, workspace, tmp_path / "other"))


def test_the_dashboard_reads_metrics_after_the_checkpoints_are_there(tmp_path: Path, workspace: Opener) -> None:
    save(tmp_path / "runs" / "a", 1)
    log(tmp_path / "runs" / "a", 0, 3)
    opened = workspace(tmp_path / "runs")
    indexer = Indexer(lambda _full: opened.engine, opened.settings)
    indexer.start()
    try:
        until = time.monotonic() + 60
        while indexer.status.version < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert indexer.status.report is not None
        assert (indexer.status.report.metric_files, indexer.status.metric_files_waiting) == (0, 0)
        assert losses(opened, "a") == (3, 1 / 3)
    finally:
        indexer.stop()
