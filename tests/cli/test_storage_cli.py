"""The shell about disk space: usage, plan, quarantine, undo, purge, pin."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.catalog.filters import FindingFilter
from core.services import health
from tests.cli.test_cli import answer, run
from tests.conftest import Opener
from tests.support.trees import index_of, save, shard_of, state


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Path:
    """An old run of five checkpoints and a shard without an index, and another run."""
    root = tmp_path / "runs"
    for step in range(1, 6):
        save(root / "a", step)
    state(root / "a", "ckpt-5", *(f"ckpt-{step}" for step in range(1, 6)))
    index_of(save(root / "a", 9)).unlink()
    save(root / "b", 1)
    monkeypatch.setenv("WAYPOINT_ROOTS", str(root))
    return root


def files(root: Path) -> dict[str, bytes]:
    """Every file outside of `.waypoint`."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".waypoint" not in path.parts
    }


def gone(document: dict[str, Any]) -> list[str]:
    return [item["path"] for item in document["goes"]]


def test_usage_adds_up_to_du_and_find(root: Path) -> None:
    document = answer("usage")
    du = int(subprocess.check_output(["du", "-s", "-B1", root]).split()[0])
    sizes = sum(len(content) for content in files(root).values())
    assert (document["allocated_bytes"], document["apparent_bytes"]) == (du, sizes)
    for table in ("by_root", "by_run", "by_format", "by_contents", "by_kind", "by_age"):
        assert sum(entry["allocated_bytes"] for entry in document[table]) == du
        assert sum(entry["apparent_bytes"] for entry in document[table]) == sizes
    assert {entry["run"] for entry in document["by_run"]} == {"a", "b", None}
    assert answer("usage", "--cached") == document
    assert "on disk" in run("usage", "--cached").stdout


def test_a_plan_without_a_policy_holds_leftovers_only(root: Path) -> None:
    before = files(root)
    document = answer("plan")
    assert {entry["run"]: gone(entry) for entry in document["runs"]} == {"a": ["ckpt-9"], "b": []}
    assert document["freed_bytes"] > 0
    assert "ckpt-9" in run("plan", "a", "--cached").stdout
    assert files(root) == before


def test_a_policy_may_be_tried_in_the_shell_or_stand_in_the_file(root: Path, tmp_path: Path) -> None:
    wanted = ["ckpt-1", "ckpt-2", "ckpt-3", "ckpt-9"]
    assert sorted(gone(answer("plan", "a", "--latest", 2)["runs"][0])) == wanted
    Path("waypoint.toml").write_text("[[retention]]\nruns = 'a'\nlatest = 2\n")
    assert sorted(gone(answer("plan", "a")["runs"][0])) == wanted
    assert gone(answer("plan", "b")["runs"][0]) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[retention]]\nlatest = 0\n", "retention[0].latest = 0: must be a whole number, 1 or more"),
        ("[[retention]]\nlatset = 1\n", "retention[0].latset = 1: unknown key; did you mean latest?"),
    ],
    ids=["value", "key"],
)
def test_a_wrong_policy_is_wrong_use(root: Path, text: str, problem: str) -> None:
    Path("waypoint.toml").write_text(text)
    result = run("plan")
    assert result.exit_code == 2
    assert problem in result.stderr


def test_there_and_back_again(root: Path) -> None:
    before = files(root)
    assert gone(answer("quarantine", "a", "--latest", 2, "--dry-run")["runs"][0])
    assert files(root) == before
    (done,) = answer("quarantine", "a", "--latest", 2, "--note", "room")
    assert sorted(done["moved"]) == ["ckpt-1", "ckpt-2", "ckpt-3", "ckpt-9"]
    assert (done["problem"], done["left_out"]) == (None, [])
    assert {Path(path).name.split(".")[0] for path in files(root / "a")} == {"ckpt-4", "ckpt-5", "checkpoint"}
    assert [row["path"] for row in answer("ls", "a", "--cached")] == ["a/ckpt-5", "a/ckpt-4"]
    (batch,) = answer("undo", "a")
    assert (batch["batch"], batch["stage"], batch["note"]) == (done["batch"], "done", "room")
    assert answer("undo", "a", done["batch"], "--dry-run")[0]["stage"] == "done"
    assert answer("undo", "a", done["batch"])["stage"] == "undone"
    assert files(root) == before
    again = run("undo", "a", done["batch"])
    assert again.exit_code == 1
    assert "undone already" in again.stderr
    assert run("undo", "a", "nonsense").exit_code == 2


def test_a_purge_needs_its_confirmation_and_frees_what_it_says(root: Path) -> None:
    (done,) = answer("quarantine", "--all")
    held = root / "a" / ".waypoint" / "quarantine" / done["batch"] / "files"
    before = int(subprocess.check_output(["du", "-s", "-B1", held]).split()[0])
    result = run("purge", "a", done["batch"])
    assert result.exit_code == 1
    assert "cannot be undone" in result.stderr
    assert answer("purge", "a", done["batch"], "--dry-run")[0]["batch"] == done["batch"]
    (purged,) = answer("purge", "a", done["batch"], "--confirm", "a")
    assert not held.exists()
    assert 0 < purged["freed_bytes"] <= before
    assert answer("purge", "a", "--older-than", 0) == []


def test_nothing_to_move_is_said(root: Path) -> None:
    assert run("quarantine", "b").stdout == "Nothing would go.\n"
    assert run("quarantine").exit_code == 2
    assert run("purge", "b").exit_code == 2


def test_a_pinned_checkpoint_stays(root: Path) -> None:
    assert answer("pin", "a", "ckpt-2", "--note", "paper")["pinned"] is True
    document = answer("plan", "a", "--latest", 2)["runs"][0]
    assert "ckpt-2" not in gone(document)
    stays = {item["path"]: item["reasons"] for item in document["stays"]}
    assert any("pinned by" in reason and "paper" in reason for reason in stays["ckpt-2"])
    assert run("pin", "a", "ckpt-2", "--remove", "--dry-run").exit_code == 0
    assert answer("pin", "a", "a/ckpt-2", "--remove")["pinned"] is False
    assert "ckpt-2" in gone(answer("plan", "a", "--latest", 2)["runs"][0])
    assert run("pin", "a", "ckpt-77").exit_code == 2


def test_a_live_run_gives_up_leftovers_only(root: Path) -> None:
    os.utime(root / "a" / "ckpt-5.index")
    document = answer("plan", "a", "--latest", 2)["runs"][0]
    assert (document["live"], gone(document)) == (True, ["ckpt-9"])
    (done,) = answer("quarantine", "a", "--latest", 2)
    assert done["moved"] == ["ckpt-9"]
    assert json.loads((root / "a/.waypoint/quarantine" / done["batch"] / "journal.json").read_text())["states"] == []


def test_what_a_state_file_in_another_folder_names_stays(root: Path) -> None:
    """As CheckpointManager(folder, checkpoint_name="ckpts/ckpt") leaves it: that file would not be rewritten."""
    for step in range(1, 6):
        save(root / "c" / "ckpts", step)
    state(root / "c", "ckpts/ckpt-2", "ckpts/ckpt-1", "ckpts/ckpt-2")
    document = answer("plan", "c", "--latest", 2)["runs"][0]
    assert gone(document) == ["ckpts/ckpt-3"]
    stays = {item["path"]: item["reasons"] for item in document["stays"]}
    assert stays["ckpts/ckpt-2"] == ["named by a state file in another folder, c/checkpoint"]


def test_what_a_state_file_of_another_name_chose_stays_and_what_it_only_lists_goes(root: Path) -> None:
    """`latest_filename=` of TensorFlow 1: the best of dev, however many were saved since."""
    for step in range(1, 5):
        save(root / "c", step)
    state(root / "c", "ckpt-2", "ckpt-1", "ckpt-2").rename(root / "c" / "best_dev_checkpoint")
    state(root / "c", "ckpt-4", *(f"ckpt-{step}" for step in range(1, 5)))
    document = answer("plan", "c", "--latest", 1)["runs"][0]
    assert sorted(gone(document)) == ["ckpt-1", "ckpt-3"]
    stays = {item["path"]: item["reasons"] for item in document["stays"]}
    assert stays["ckpt-2"] == ["named by best_dev_checkpoint as its latest"]
    assert answer("quarantine", "c", "--latest", 1)[0]["moved"] == ["ckpt-1", "ckpt-3"]
    assert 'model_checkpoint_path: "ckpt-2"' in (root / "c" / "best_dev_checkpoint").read_text()


def test_what_a_link_inside_the_root_leads_to_stays(root: Path) -> None:
    """Jobs link their best one, by its files, its name, or from a folder of picks; what nothing leads to goes."""
    for step in range(1, 8):
        save(root / "c" / "ckpts", step)
    for path in (index_of, shard_of):
        path(root / "c/ckpts/best").symlink_to(path(Path("ckpt-1")))
    (root / "c/picks").mkdir()
    index_of(root / "c/picks/first").symlink_to(root / "c/ckpts/ckpt-2.index")
    (root / "chosen").symlink_to("c/ckpts/ckpt-3")  # scripts read such a link, although nothing lies under that name
    shard_of(root / "c/picks/again").symlink_to(shard_of(Path("../ckpts/ckpt-4")))
    shard_of(root / "c/picks/chain").symlink_to(shard_of(Path("again")))
    document = answer("plan", "c", "--latest", 1)["runs"][0]
    assert sorted(gone(document)) == ["ckpts/ckpt-5", "ckpts/ckpt-6"]
    stays = {item["path"]: item["reasons"] for item in document["stays"]}
    assert stays["ckpts/ckpt-1"] == ["ckpts/best.data-00000-of-00001 leads to it"]
    assert stays["ckpts/ckpt-2"] == ["picks/first.index leads to it"]
    assert stays["ckpts/ckpt-3"] == ["chosen leads to it"]
    assert stays["ckpts/ckpt-4"] == ["picks/again.data-00000-of-00001 leads to it"]
    for path in (index_of, shard_of):
        path(root / "c/ckpts/best").unlink()
    document = answer("plan", "c", "--latest", 1, "--cached")["runs"][0]
    assert "ckpts/ckpt-1" in gone(document)


def test_a_run_of_which_all_went_comes_back(root: Path) -> None:
    """What was whole was taken away by hand since, so that no run is left to be found by its name."""
    index_of(save(root / "d", 1)).unlink()
    save(root / "d", 2)
    (done,) = answer("quarantine", "d")
    assert done["moved"] == ["ckpt-1"]
    for path in (root / "d").glob("ckpt-2.*"):
        path.unlink()
    before = {name: facts for name, facts in files(root).items() if not name.startswith("d/")}
    assert run("ls", "d").exit_code == 2
    assert answer("undo", "d")[0]["batch"] == done["batch"]
    assert answer("undo", "d", done["batch"])["stage"] == "undone"
    after = files(root)
    assert {name for name in after if name.startswith("d/") and "/." not in name} == {"d/ckpt-1.data-00000-of-00001"}
    assert {name: facts for name, facts in after.items() if not name.startswith("d/")} == before


def test_what_was_accepted_stays(root: Path, workspace: Opener) -> None:
    opened = workspace(root)
    opened.refresh()
    (placed,) = opened.reader.findings(FindingFilter(rule="orphan-shard"))
    health.accept(opened, [placed], "for the report")
    document = answer("plan", "a")["runs"][0]
    assert gone(document) == []
    assert {item["path"]: item["reasons"] for item in document["stays"]}["ckpt-9"] == [
        "accepted as it is: for the report"
    ]


def test_the_newest_save_stays_also_without_its_shards(root: Path) -> None:
    shard_of(root / "a" / "ckpt-5").unlink()
    document = answer("plan", "a", "--latest", 2)["runs"][0]
    assert "ckpt-5" not in gone(document)
    shard_of(root / "a" / "ckpt-3").unlink()
    assert "ckpt-3" in gone(answer("plan", "a")["runs"][0])


def test_a_checkpoint_may_be_named_by_its_last_name(root: Path) -> None:
    (root / "a" / "resume_manifest.json").unlink(missing_ok=True)
    save(root / "a" / "ckpts", 2)
    save(root / "a" / "ckpts", 12)
    assert answer("pin", "a", "ckpt-12")["path"] == "ckpts/ckpt-12"
    assert answer("pin", "a", "ckpt-2")["path"] == "ckpt-2"  # relative to the run comes first


def test_without_its_catalog_nothing_that_people_decided_is_lost(root: Path, workspace: Opener, tmp_path: Path) -> None:
    index_of(save(root / "b", 7)).unlink()
    opened = workspace(root)
    opened.refresh()
    (placed,) = opened.reader.findings(FindingFilter(rule="orphan-shard", run="b"))
    health.accept(opened, [placed], "so")
    answer("pin", "a", "ckpt-2", "--note", "paper")
    (done,) = answer("quarantine", "a", "--latest", 2)
    manifest = answer("resume", "a")
    before = answer("health"), answer("plan", "a", "--latest", 2)["runs"], answer("undo", "a")
    shutil.rmtree(tmp_path / "home")
    assert (answer("health"), answer("plan", "a", "--latest", 2)["runs"], answer("undo", "a")) == before
    assert answer("undo", "a")[0]["batch"] == done["batch"]
    assert answer("resume-env", "a")["manifest"] == manifest["id"]
    assert "pinned by" in json.dumps(answer("plan", "a", "--latest", 2))
    assert not [row for row in answer("health", "b") if row["rule"] == "orphan-shard"]
