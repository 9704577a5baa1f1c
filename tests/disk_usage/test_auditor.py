"""What the auditor finds and does beside the indexer: the survey, old batches, half-done ones, errors as values."""

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.acts.journal import Act, Stage, read_journal, write_journal
from core.background.auditor import Auditor
from core.background.full_home import indexer_of
from core.base.records import Run
from core.retention.policies import KeepLatest, Policy
from core.retention.tables import NO_POLICY
from core.services import quarantine, retention
from core.services.survey import Survey
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import index_of, save, shard_of, write

KEEP_ONE = Policy(rules=(KeepLatest(1),))
PATIENCE = 60.0  # seconds for a look at a few files on a busy machine


def looked(workspace: Workspace) -> Survey:
    """The survey after a look at the disk and one of the auditor."""
    workspace.refresh()
    auditor = Auditor(workspace)
    auditor.look()
    return auditor.survey


def run_of(workspace: Workspace, path: str) -> Run:
    """A run, also one of which all lies in quarantine."""
    return quarantine.quarantined_run(workspace, workspace.reader.roots()[0].id, path)


def quarantined(workspace: Workspace, path: str, policy: Policy = NO_POLICY) -> str:
    """Move what a policy lets go of a run; returns the batch's id."""
    workspace.refresh()
    run = run_of(workspace, path)
    (planned,) = retention.plan(workspace, [run], policy).runs
    done = quarantine.execute(workspace, run, planned, policy=policy)
    assert done.journal is not None
    return done.journal.id


def lost(folder: Path, *steps: int) -> None:
    """Shards without their index."""
    for step in steps:
        index_of(save(folder, step)).unlink()


def test_a_survey_tells_what_lies_there_and_what_could_go(tmp_path: Path, workspace: Opener) -> None:
    save(tmp_path / "runs" / "kept", 1)
    lost(tmp_path / "runs" / "lost", 1, 2)
    save(tmp_path / "runs" / "lost", 3)
    made = workspace(tmp_path / "runs")
    survey = looked(made)
    root = made.reader.roots()[0].id
    assert survey.could_go is not None
    assert survey.audited is not None
    left = [shard_of(tmp_path / "runs" / "lost" / f"ckpt-{step}").stat() for step in (1, 2)]
    size, allocated = sum(stat.st_size for stat in left), sum(stat.st_blocks * 512 for stat in left)
    assert survey.could_go.by_run == {(root, "lost"): (2, size, allocated)}
    assert survey.could_go.total == (2, size, allocated)
    assert survey.audited.usage.files == 6
    assert {tile.run for tile in survey.tiles} == {None, "kept", "lost"}
    assert (survey.batches, survey.problems, survey.error, survey.growths) == ((), (), None, None)
    assert not survey.is_looking


def test_a_file_with_names_in_two_runs_is_freed_once_both_go(tmp_path: Path, workspace: Opener) -> None:
    lost(tmp_path / "runs" / "a", 1)
    shard = shard_of(tmp_path / "runs" / "a" / "ckpt-1")
    for name in ("a", "b"):
        save(tmp_path / "runs" / name, 2)
    os.link(shard, tmp_path / "runs" / "b" / shard.name)
    going = looked(workspace(tmp_path / "runs")).could_go
    assert going is not None
    assert [one.freed for one in going.by_run.values()] == [0, 0]
    assert going.total.freed == shard.stat().st_blocks * 512


def test_a_run_that_went_as_a_whole_is_still_told_and_can_be_undone(tmp_path: Path, workspace: Opener) -> None:
    lost(tmp_path / "runs" / "lost", 1)
    save(tmp_path / "runs" / "lost", 2)
    save(tmp_path / "runs" / "other", 1)
    made = workspace(tmp_path / "runs")
    batch = quarantined(made, "lost")
    for path in (tmp_path / "runs" / "lost").glob("ckpt-2.*"):
        path.unlink()  # by hand
    survey = looked(made)
    assert [run.path for run in made.runs()] == ["other"]
    assert [(one.run, one.batch.id) for one in survey.batches] == [("lost", batch)]
    assert quarantine.undo_batch(made, run_of(made, "lost"), batch).files == 1
    assert shard_of(tmp_path / "runs" / "lost" / "ckpt-1").exists()


def test_batches_are_listed_over_all_runs_the_newest_first(tmp_path: Path, workspace: Opener) -> None:
    for name in ("b", "a", "c"):
        lost(tmp_path / "runs" / name, 1)
        save(tmp_path / "runs" / name, 2)
    made = workspace(tmp_path / "runs")
    made_in_turn = [quarantined(made, name) for name in ("b", "c", "a")]
    assert [one.batch.id for one in looked(made).batches] == made_in_turn[::-1]


def test_a_run_is_read_again_when_somebody_acted_on_it(tmp_path: Path, workspace: Opener) -> None:
    lost(tmp_path / "runs" / "a", 1)
    save(tmp_path / "runs" / "a", 2)
    made = workspace(tmp_path / "runs")
    made.refresh()
    auditor = Auditor(made)
    auditor.look()
    before = auditor.survey
    batch = quarantined(made, "a")
    auditor.reread(made.reader.roots()[0].id, "a")
    assert [one.batch.id for one in auditor.survey.batches] == [batch]
    assert auditor.survey.number > before.number
    assert auditor.survey.audited is before.audited
    quarantine.undo_batch(made, run_of(made, "a"), batch)
    auditor.reread(made.reader.roots()[0].id, "a")
    assert [one.batch.stage for one in auditor.survey.batches] == [Stage.UNDONE]


@pytest.mark.parametrize(("days", "age", "is_purged"), [(7.0, 8, True), (7.0, 6, False), (0.0, 999, False)])
def test_old_batches_are_purged_where_the_settings_say_so(
    tmp_path: Path, workspace: Opener, days: float, age: int, *, is_purged: bool
) -> None:
    run = tmp_path / "runs" / "a"
    lost(run, 1)
    save(run, 2)
    made = workspace(tmp_path / "runs", purge_after_days=days)
    place = run / ".waypoint" / "quarantine" / quarantined(made, "a")
    then = datetime.now(UTC) - timedelta(days=age)
    write_journal(place, read_journal(place).model_copy(update={"at": then}))
    (one,) = looked(made).batches
    assert one.batch.stage is (Stage.PURGED if is_purged else Stage.DONE)
    assert list(run.rglob("ckpt-1.data*")) == ([] if is_purged else [place / "files" / "ckpt-1.data-00000-of-00001"])
    lines = [json.loads(line) for line in (run / ".waypoint" / "log.jsonl").read_text().splitlines()]
    who = [line["actor"] for line in lines if line["event"].startswith("purge")]
    assert who == (["waypoint"] if is_purged else [])


def test_the_space_of_a_purged_batch_is_not_told_any_more(tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "runs" / "a"
    write(run, {"ckpt-1.data-00000-of-00001": bytes(1 << 20)})
    save(run, 2)
    made = workspace(tmp_path / "runs", purge_after_days=1.0)
    place = run / ".waypoint" / "quarantine" / quarantined(made, "a")
    write_journal(place, read_journal(place).model_copy(update={"at": datetime.now(UTC) - timedelta(days=2)}))
    audited = looked(made).audited
    assert audited is not None
    assert audited.usage.apparent_bytes < 1 << 20


def test_a_batch_that_a_kill_left_half_done_is_ended(tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "runs" / "a"
    for step in (1, 2):
        save(run, step)
    made = workspace(tmp_path / "runs")
    place = run / ".waypoint" / "quarantine" / quarantined(made, "a", KEEP_ONE)
    killed = {"stage": Stage.UNDOING, "undo": Act(by="ada", at=datetime.now(UTC))}
    write_journal(place, read_journal(place).model_copy(update=killed))
    assert not index_of(run / "ckpt-1").exists()
    assert [one.batch.stage for one in looked(made).batches] == [Stage.UNDONE]
    assert index_of(run / "ckpt-1").exists()
    assert shard_of(run / "ckpt-1").exists()


def test_a_batch_that_cannot_be_understood_is_a_problem_and_hides_nothing(tmp_path: Path, workspace: Opener) -> None:
    for name in ("a", "b"):
        lost(tmp_path / "runs" / name, 1)
        save(tmp_path / "runs" / name, 2)
    made = workspace(tmp_path / "runs")
    broken, whole = quarantined(made, "a"), quarantined(made, "b")
    (tmp_path / "runs" / "a" / ".waypoint" / "quarantine" / broken / "journal.json").write_text("{")
    survey = looked(made)
    assert [one.batch.id for one in survey.batches] == [whole]
    assert [problem.path for problem in survey.problems] == ["a"]
    assert survey.audited is not None


def test_what_fails_is_a_value_and_the_last_numbers_stay(
    tmp_path: Path, workspace: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path / "runs" / "a", 1)
    made = workspace(tmp_path / "runs")
    made.refresh()
    auditor = Auditor(made)
    auditor.look()
    before = auditor.survey
    with made.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audits RENAME TO gone")
    auditor.look()
    assert auditor.survey.error is not None
    assert "no such table" in auditor.survey.error
    assert auditor.survey.audited is before.audited
    assert "Traceback" in caplog.text
    with made.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO audits")
    auditor.look()
    assert auditor.survey.error is None


def test_the_thread_shows_the_kept_audit_first_and_looks_when_it_is_told(tmp_path: Path, workspace: Opener) -> None:
    lost(tmp_path / "runs" / "a", 1)
    made = workspace(tmp_path / "runs")
    kept = looked(made).audited
    auditor = Auditor(made)
    auditor.start()
    try:
        wait_until(lambda: auditor.survey.number == 1)
        assert auditor.survey.audited == kept
        assert auditor.survey.could_go is None
        auditor.after_deep()
        wait_until(lambda: auditor.survey.could_go is not None)
    finally:
        auditor.stop()
    assert auditor.survey.audited != kept


def test_a_pass_of_the_indexer_wakes_it_only_when_that_is_due_or_wanted(tmp_path: Path, workspace: Opener) -> None:
    save(tmp_path / "runs" / "a", 1)
    made = workspace(tmp_path / "runs")
    made.refresh()
    auditor = Auditor(made)
    auditor.look()
    auditor.after_deep()
    assert not auditor._wake.is_set()
    auditor.want()
    auditor.after_deep()
    assert auditor._wake.is_set()


def test_the_indexer_tells_of_each_deep_pass(tmp_path: Path, workspace: Opener) -> None:
    save(tmp_path / "runs" / "a", 1)
    told = threading.Event()
    opened = workspace(tmp_path / "runs")
    indexer = indexer_of(opened, told.set)
    indexer.start()
    try:
        assert told.wait(PATIENCE)
        told.clear()
        indexer.look_now()
        assert told.wait(PATIENCE)
    finally:
        indexer.stop()


def wait_until(is_so: object) -> None:
    """Wait for something that another thread does."""
    assert callable(is_so)
    until, pause = time.monotonic() + PATIENCE, threading.Event()
    while not is_so():
        assert time.monotonic() < until
        pause.wait(0.02)
