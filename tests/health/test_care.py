"""Accepted findings and kept verifications: what they change in the catalog, when they end, where they lie."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import CoreError, NotFoundError, ReadOnlyError
from core.base.records import Checkpoint, Health
from core.catalog.answers import PlacedFinding
from core.catalog.filters import FindingFilter
from core.services import verifying
from core.services.health import accept, withdraw_acceptance
from core.services.runs import series_choices
from core.services.workspace import Workspace
from core.verify.results import BadRule, Outcome, TensorProblem, Verification
from tests.conftest import Opener
from tests.support.trees import index_of, save, shard_of, state

ACCEPTED = ".waypoint/accepted.json"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Run a with an orphan shard, run b whole; both with a state file."""
    root = tmp_path / "runs"
    for run in ("a", "b"):
        for step in (1, 2):
            save(root / run, step)
        state(root / run, "ckpt-2", "ckpt-1", "ckpt-2")
    index_of(save(root / "a", 3)).unlink()
    return root


def found(workspace: Workspace, *, accepted: bool | None = False) -> list[tuple[str, str]]:
    """Path and rule of findings above info."""
    placed = workspace.reader.findings(FindingFilter(severities=("error", "warning"), accepted=accepted))
    return [(item.finding.path, item.finding.rule) for item in placed]


def only(workspace: Workspace) -> PlacedFinding:
    (placed,) = workspace.reader.findings(FindingFilter(severities=("error", "warning")))
    return placed


def numbers(workspace: Workspace, run: str) -> tuple[int, int]:
    """Errors and warnings of a run."""
    row = workspace.find_run(run)
    return row.errors, row.warnings


def test_an_accepted_finding_counts_no_more_and_is_back_when_its_files_change(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    assert (found(opened), numbers(opened, "a")) == ([("a/ckpt-3", "orphan-shard")], (0, 1))
    accept(opened, [only(opened)], " kept for the paper ")
    opened.refresh()
    assert (found(opened), numbers(opened, "a")) == ([], (0, 0))
    (kept,) = opened.reader.findings(FindingFilter(accepted=True))
    assert (kept.finding.rule, kept.finding.accepted) == ("orphan-shard", "kept for the paper")
    document = json.loads((runs / "a" / ACCEPTED).read_text())
    assert [(item["rule"], item["path"], item["by"]) for item in document["accepted"]] == [
        ("orphan-shard", "ckpt-3", "ada")
    ]
    shard = shard_of(runs / "a" / "ckpt-3")
    shard.write_bytes(shard.read_bytes() + b"more")
    os.utime(shard, ns=(1, 1))
    opened.refresh()
    assert found(opened) == [("a/ckpt-3", "orphan-shard")]


def test_accepting_can_be_undone(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    placed = only(opened)
    accept(opened, [placed], "so")
    opened.refresh(deep=False)
    assert found(opened) == []
    withdraw_acceptance(opened, [placed])
    opened.refresh(deep=False)
    assert found(opened) == [("a/ckpt-3", "orphan-shard")]
    with pytest.raises(NotFoundError, match="orphan-shard about ckpt-3 is not accepted"):
        withdraw_acceptance(opened, [placed])
    log = [json.loads(line) for line in (runs / "a" / ".waypoint" / "log.jsonl").read_text().splitlines()]
    assert [(entry["actor"], entry["event"]) for entry in log] == [
        ("ada", "accept findings"),
        ("ada", "withdraw acceptance"),
    ]


def test_what_another_home_accepted_is_seen_at_the_next_light_pass(
    runs: Path, workspace: Opener, tmp_path: Path
) -> None:
    ours, theirs = workspace(runs), workspace(runs, home=tmp_path / "other")
    ours.refresh()
    theirs.refresh()
    accept(theirs, [only(theirs)], "so")
    ours.refresh(deep=False)
    assert (found(ours), found(ours, accepted=True)) == ([], [("a/ckpt-3", "orphan-shard")])


def test_deleting_the_catalog_loses_no_acceptance(runs: Path, workspace: Opener, tmp_path: Path) -> None:
    opened = workspace(runs)
    opened.refresh()
    accept(opened, [only(opened)], "so")
    fresh = workspace(runs, home=tmp_path / "fresh")
    fresh.refresh()
    assert (found(fresh), found(fresh, accepted=True)) == ([], [("a/ckpt-3", "orphan-shard")])


def test_a_file_of_acceptances_that_cannot_be_read_accepts_nothing_and_is_a_problem(
    runs: Path, workspace: Opener
) -> None:
    opened = workspace(runs)
    (runs / "a" / ".waypoint").mkdir()
    (runs / "a" / ACCEPTED).write_text('{"version": 7}')
    report = opened.refresh()
    assert [(problem.path, ACCEPTED in problem.problem) for _, problem in report.problems] == [("a", True)]
    assert found(opened) == [("a/ckpt-3", "orphan-shard")]
    with pytest.raises(CoreError, match=r"accepted\.json cannot be understood"):
        accept(opened, [only(opened)], "so")
    assert (runs / "a" / ACCEPTED).read_text() == '{"version": 7}'


def test_decisions_about_a_read_only_run_lie_apart(
    runs: Path, workspace: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = tmp_path / "apart"
    opened = workspace(runs, decisions_dir=apart)
    opened.refresh()
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda *_, **__: False)  # root may write everywhere
        accept(opened, [only(opened)], "so")
    assert not (runs / "a" / ".waypoint").exists()
    assert [path.name for path in apart.rglob("accepted.json")] == ["accepted.json"]
    opened.refresh(deep=False)
    assert (found(opened), found(opened, accepted=True)) == ([], [("a/ckpt-3", "orphan-shard")])


def verified(item: Checkpoint, workspace: Workspace, *problems: TensorProblem) -> Verification:
    return Verification(
        outcome=Outcome.DAMAGED if problems else Outcome.VERIFIED,
        detail="",
        tensors=3,
        bytes=item.bytes,
        problems=problems,
        problem_count=len(problems),
        files=item.files,
        finished_at=workspace.now(),
    )


MISMATCH = TensorProblem(rule=BadRule.MISMATCH, name="w", detail="d")
NON_FINITE = TensorProblem(rule=BadRule.NON_FINITE, name="w", detail="d", count=5)
INFINITE = TensorProblem(rule=BadRule.INFINITE, name="w", detail="d", count=5)


@pytest.mark.parametrize(
    ("problem", "rule", "restorable"),
    [(MISMATCH, "checksum-mismatch", False), (NON_FINITE, "non-finite", False), (INFINITE, "infinite", True)],
    ids=["checksum", "numbers", "mask"],
)
def test_what_a_verification_found_is_a_finding_until_the_files_change(
    problem: TensorProblem, rule: str, restorable: bool, runs: Path, workspace: Opener
) -> None:
    opened = workspace(runs)
    opened.refresh()
    item = opened.reader.checkpoint(opened.reader.roots()[0].id, "b/ckpt-2")
    verifying.keep_verification(opened, item, verified(item, opened, problem))
    opened.refresh(deep=False)
    judged = opened.reader.checkpoint(item.root, "b/ckpt-2")
    assert rule in {finding.rule for finding in judged.findings}
    assert (judged.restorable, judged.health) == (restorable, Health.WARNING if rule == "infinite" else Health.ERROR)
    chosen = series_choices(opened, item.root, "b")[0].chosen
    assert chosen is not None
    assert chosen.path == ("b/ckpt-2" if restorable else "b/ckpt-1")
    kept = verifying.verification(opened, judged)
    assert kept is not None
    assert (kept.holds, kept.verification.problems) == (True, (problem,))
    save(runs / "b", 2, at_ns=1_800_000_000_000_000_000)
    opened.refresh()
    healed = opened.reader.checkpoint(item.root, "b/ckpt-2")
    assert (healed.restorable, healed.health) == (True, Health.OK)
    assert rule not in {finding.rule for finding in healed.findings}
    former = verifying.verification(opened, healed)
    assert former is not None
    assert not former.holds


def test_a_second_verification_that_passes_clears_the_first(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    item = opened.reader.checkpoint(opened.reader.roots()[0].id, "b/ckpt-2")
    for problems, health in (((MISMATCH,), Health.ERROR), ((), Health.OK)):
        verifying.keep_verification(opened, item, verified(item, opened, *problems))
        opened.refresh(deep=False)
        judged = opened.reader.checkpoint(item.root, "b/ckpt-2")
        assert (judged.health, judged.restorable) == (health, health is Health.OK)


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.FAILED, Outcome.CHANGED])
def test_a_verification_without_a_result_is_not_kept(outcome: Outcome, runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    item = opened.reader.checkpoint(opened.reader.roots()[0].id, "b/ckpt-2")
    verifying.keep_verification(opened, item, replace(verified(item, opened), outcome=outcome))
    assert verifying.verification(opened, item) is None


def test_time_alone_makes_runs_and_checkpoints_stale(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs, stale_after=3600.0)
    for path in runs.rglob("*"):
        os.utime(path)
    opened.refresh()
    rules = {item.finding.rule for item in opened.reader.findings(FindingFilter(run="b"))}
    assert rules == set()
    old = workspace(runs, stale_after=0.001, home=opened.settings.home)
    old.refresh(deep=False)
    placed = old.reader.findings(FindingFilter(run="b"))
    assert {(item.finding.path, item.finding.rule) for item in placed} == {
        ("b", "stale-run"),
        ("b/ckpt-1", "stale-checkpoint"),
    }


def test_an_unreadable_place_for_decisions_is_an_error(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    (runs / "a" / ".waypoint").write_text("a file in the way")
    with pytest.raises((CoreError, ReadOnlyError)):
        accept(opened, [only(opened)], "so")
