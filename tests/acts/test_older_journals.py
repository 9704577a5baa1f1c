"""Batches whose journals an older Waypoint wrote (`journals/`): they are undone, taken back and purged as ever."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.acts.batches import batches
from core.acts.journal import Stage
from core.acts.recovery import recover
from core.retention.policies import KeepLatest, Policy
from tests.support.quarantine_cases import Case, bundle_files, folders, state_text, tree
from tests.support.resume_cases import NOW
from tests.support.trees import START_NS, write

OLD = Path(__file__).with_name("journals") / "quarantine.json"
OF_THE_DISK = ("inode", "device", "allocated", "uid", "gid")


class OlderBatch:
    """The run of that journal, before anything went and with some of the batch's files moved."""

    def __init__(self, root: Path) -> None:
        self.journal: dict[str, Any] = json.loads(OLD.read_text())
        self.case = Case(root=root, run="a", policy=Policy(rules=(KeepLatest(1),)))
        self.run = self.case.folder
        self.run.mkdir(parents=True)
        for number in (1, 2):
            at_ns = START_NS + number * 1_000_000_000
            write(self.run / "ckpts", bundle_files(f"ckpt-{number}"), at_ns)
            write(self.run / f"export/{number}", {"saved_model.pb": b"graph"}, at_ns)
            write(self.run / f"export/{number}/variables", bundle_files("variables"), at_ns)
        write(self.run / "ckpts", {"checkpoint": state_text(2, 1, 2)}, START_NS + 4_000_000_000)
        for path in (self.run, *self.run.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
            if path.is_dir():
                os.utime(path, ns=(START_NS, START_NS))
        self.before, self.folders = tree(self.run), folders(self.run)
        self.batch = self.run / ".waypoint/quarantine" / self.journal["id"]

    @property
    def names(self) -> list[str]:
        """The files of the batch in the order in which they went."""
        return [file["path"] for item in self.journal["items"] for file in item["files"]]

    def leave(self, stage: str, moved: int) -> None:
        """Bring the run to a stage of the journal, with so many files moved, as that Waypoint did."""
        (self.batch / "files").mkdir(parents=True)
        for name in self.names[:moved]:
            (self.batch / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.run / name).rename(self.batch / "files" / name)
        for folder in sorted((one["path"] for one in self.journal["folders"] if one["goes"]), reverse=True):
            if not os.listdir(self.run / folder):
                (self.run / folder).rmdir()
        (state,) = self.journal["states"]
        write(self.run, {state["path"]: state["new"].encode()}, state["mtime_ns"] + 1000)
        act = {"by": "bob", "at": "2026-01-31T09:31:00Z"}
        journal = {**self.journal, "stage": stage}
        if stage == "purging":
            journal["purge"] = {**act, "freed_bytes": 1}
        elif stage == "undoing":
            journal["undo"] = act
        (self.batch / "journal.json").write_text(json.dumps(journal))

    def expect_back(self) -> None:
        """All is as it was."""
        assert tree(self.run) == self.before
        assert folders(self.run) == self.folders


@pytest.fixture
def older(tmp_path: Path) -> OlderBatch:
    return OlderBatch(tmp_path / "root")


def test_it_is_undone(older: OlderBatch) -> None:
    older.leave("done", 5)
    assert len(tree(older.run)) == len(older.before) - 5
    back = older.case.undo(older.journal["id"])
    assert (back.files, back.problems, back.journal.stage) == (5, (), Stage.UNDONE)
    older.expect_back()


@pytest.mark.parametrize(("stage", "moved"), [("moving", 0), ("moving", 3), ("undoing", 5), ("undoing", 2)])
def test_what_was_left_half_done_is_taken_back(older: OlderBatch, stage: str, moved: int) -> None:
    older.leave(stage, moved)
    (ended,) = recover(older.case.run_folder, actor="ada", now=NOW)
    assert (ended.became, ended.problems) == (Stage.UNDONE, ())
    older.expect_back()


def test_a_purge_that_was_begun_ends(older: OlderBatch) -> None:
    older.leave("purging", 5)
    (ended,) = recover(older.case.run_folder, actor="ada", now=NOW)
    assert (ended.became, ended.problems) == (Stage.PURGED, ())
    assert not older.batch.exists()
    (batch,) = batches(older.run).batches
    assert (batch.id, batch.stage, batch.by) == (older.journal["id"], Stage.PURGED, "ada")
    assert batch.bytes == sum(len(older.before[name].content) for name in older.names)


def test_the_journal_has_the_same_form_now(older: OlderBatch) -> None:
    journal = older.case.go().journal
    assert journal is not None
    now = json.loads((older.run / ".waypoint/quarantine" / journal.id / "journal.json").read_text())
    assert without_disk({**now, "id": ""}) == without_disk({**older.journal, "id": ""})


def without_disk(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """JSON without what differs from disk to disk, and in the order in which it is written."""
    if isinstance(value, dict):
        return [(name, without_disk(one)) for name, one in value.items() if name not in OF_THE_DISK]
    return [without_disk(one) for one in value] if isinstance(value, list) else value
