"""The plan of a rewind: what it names, that it stands before its manifest, and what a live run asks for."""

import json
import math
import os
from pathlib import Path

import pytest

from core.base.errors import CoreError
from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.resume.errors import ConfirmError, ManifestError, ModeError
from core.resume.history import read_manifests
from core.resume.manifest import Manifest, Mode
from core.resume.propose import Proposal, propose
from core.resume.rewind import plan_path, read_plan
from core.resume.write import write_manifest
from core.runfolder.places import decisions_folder
from core.runfolder.run_folder import RunFolder
from core.services import resume
from tests.conftest import Opener
from tests.resume.test_resume_write import log_of
from tests.support.quarantine_cases import tree_of
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk, run_folder_of
from tests.support.trees import save
from waypoint_resume.decision import decide
from waypoint_resume.names import to_text
from waypoint_resume.rewind import set_aside

RUN = "exp/a"


def saved(root: Path, *numbers: int) -> list[Checkpoint]:
    """Bundles on disk, a second apart."""
    made = []
    for number in numbers:
        item = on_disk(root, a_checkpoint(number))
        for file in item.files:
            os.utime(root / item.folder / file.name, ns=(number * 10**9, number * 10**9))
        made.append(item._replace(files=tuple(file._replace(mtime_ns=number * 10**9) for file in item.files)))
    return made


def a_backup(root: Path) -> Checkpoint:
    """What Keras 3's BackupAndRestore leaves, of which the catalog knows the weights as a checkpoint."""
    names = ("latest.weights.h5", "training_metadata.json", "training_metadata.json.bkp", "mine.txt")
    files = tuple(FileStat(name=name, size=3, mtime_ns=1) for name in names)
    made = on_disk(root, a_checkpoint()._replace(folder=f"{RUN}/backup", files=files))
    return made._replace(
        path=f"{RUN}/backup/latest.weights.h5", files=made.files[:1], format=Format.WEIGHTS_H5, series="backup"
    )


def hand_over(
    root: Path,
    members: list[Checkpoint],
    mode: Mode = Mode.REWIND,
    *,
    status: str = "idle",
    decisions_dir: Path | None = None,
    **more: object,
) -> Manifest:
    """Hand the first of a run's checkpoints over."""
    proposal = propose(members[0], members, a_run(status), NOW, mode)
    accepted = [caution.id for caution in proposal.warnings]
    known: dict[str, object] = {"actor": "ada", "note": "", "accepted": accepted, "now": NOW}
    place = run_folder_of(root, members[0], decisions_dir)
    return write_manifest(place, members[0], proposal, **(known | more))[0]  # type: ignore[arg-type]


def test_the_plan_names_every_file_that_goes_the_index_first(tmp_path: Path) -> None:
    members = [*saved(tmp_path, 5, 6, 7), a_backup(tmp_path)]
    manifest = hand_over(tmp_path, members)
    assert manifest.mode is Mode.REWIND
    path = tmp_path / RUN / f".waypoint/rewound/{manifest.id}.plan.json"
    assert path == plan_path(tmp_path / RUN, manifest.id)
    newer = {"kind": "checkpoint", "format": "tf-bundle", "reason": "newer than ckpt-5"}
    override = {"reason": "BackupAndRestore's, would override ckpt-5"}
    assert json.loads(path.read_text()) == {
        "version": 1,
        "manifest": manifest.id,
        "since_ns": members[-1].files[0].mtime_ns,
        "items": [
            {
                **newer,
                "path": f"ckpts/ckpt-{number}",
                "files": [f"ckpts/ckpt-{number}.index", f"ckpts/ckpt-{number}.data-00000-of-00001"],
            }
            for number in (6, 7)
        ]
        + [
            {
                **override,
                "kind": "checkpoint",
                "format": "weights-h5",
                "path": "backup/latest.weights.h5",
                "files": ["backup/latest.weights.h5"],
            }
        ]
        + [
            {**override, "kind": "leftover", "format": None, "path": f"backup/{name}", "files": [f"backup/{name}"]}
            for name in ("training_metadata.json", "training_metadata.json.bkp")
        ],
        "stays": ["ckpts/ckpt-5"],
        "inner": [],
    }
    assert [item.path for item in read_plan(tmp_path / RUN, manifest.id).items][:2] == ["ckpts/ckpt-6", "ckpts/ckpt-7"]
    assert [line["event"] for line in log_of(tmp_path / RUN)] == ["plan rewind", "write manifest"]
    assert all(
        (tmp_path / RUN / name).exists() for item in read_plan(tmp_path / RUN, manifest.id).items for name in item.files
    )


def test_the_plan_names_what_stays_and_the_runs_inside(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    for folder, steps in {
        "a/ckpts": (1, 2, 3),
        "a/trials/t1/ckpts": (7,),
        "a/\udce9/ckpts": (8,),
        "ab/c": (9,),
    }.items():
        for step in steps:
            save(root / folder, step)
    opened = workspace(root)
    opened.refresh()
    held = opened.find_run("a")
    inner = {run.path.removeprefix("a/") for run in opened.runs() if run.path.startswith("a/")}
    assert len(inner) == 2
    assert opened.reader.runs_inside(held.root, "a") == inner == opened.acted_on(held).liveness.inner
    assert opened.reader.runs_inside(held.root, ".") == {run.path for run in opened.runs()}
    (pick,) = [item for item in opened.members(held.root, "a") if item.path.endswith("ckpt-2")]
    proposal = resume.propose(opened, pick, Mode.REWIND)
    accepted = [caution.id for caution in proposal.warnings]
    manifest, _ = resume.resume_from(opened, pick, proposal, note="", accepted=accepted, confirm="a")
    plan = read_plan(root / "a", manifest.id)
    assert [item.path for item in plan.items] == ["ckpts/ckpt-3"]
    assert plan.stays == ("ckpts/ckpt-1", "ckpts/ckpt-2")
    assert plan.inner == tuple(sorted(to_text(path) for path in inner))


def test_the_state_file_of_keras_2s_backup_goes_with_it(tmp_path: Path) -> None:
    pick = saved(tmp_path, 5)[0]
    chief = on_disk(tmp_path, a_checkpoint(2, folder=f"{RUN}/backup/chief"))._replace(series="chief")
    (tmp_path / RUN / "backup/chief/checkpoint").write_text('model_checkpoint_path: "ckpt-2"')
    plan = read_plan(tmp_path / RUN, hand_over(tmp_path, [pick, chief]).id)
    assert [item.path for item in plan.items] == ["backup/chief/ckpt-2", "backup/chief/checkpoint"]


def test_names_that_are_not_utf_8_are_text(tmp_path: Path) -> None:
    members = [on_disk(tmp_path, a_checkpoint(number, folder="exp/a/\udce9")) for number in (5, 6)]
    plan = read_plan(tmp_path / RUN, hand_over(tmp_path, members).id)
    assert plan.items[0].files == (r"\xe9/ckpt-6.index", r"\xe9/ckpt-6.data-00000-of-00001")


def test_a_time_in_the_future_hides_nothing_that_comes_later(tmp_path: Path) -> None:
    members = saved(tmp_path, 5, 6)
    manifest = hand_over(tmp_path, members)
    assert read_plan(tmp_path / RUN, manifest.id).since_ns == 6 * 10**9
    far = members[1]._replace(files=(members[1].files[0]._replace(mtime_ns=4 * 10**18),))
    plan = read_plan(tmp_path / RUN, hand_over(tmp_path, [members[0], far]).id)
    assert plan.since_ns <= plan_path(tmp_path / RUN, plan.manifest).stat().st_mtime_ns


def test_other_modes_have_no_plan(tmp_path: Path) -> None:
    manifest = hand_over(tmp_path, saved(tmp_path, 5), Mode.CONTINUE)
    with pytest.raises(FileNotFoundError):
        read_plan(tmp_path / RUN, manifest.id)


def test_the_rewind_of_a_live_run_needs_its_name(tmp_path: Path) -> None:
    members = saved(tmp_path, 5, 6)
    for wrong in ("", "a", "yes"):
        with pytest.raises(ConfirmError, match=r"The run 'exp/a' is live: .* the run's name 'exp/a', not '"):
            hand_over(tmp_path, members, status="live", confirm=wrong)
    assert not (tmp_path / RUN / ".waypoint").exists()
    assert hand_over(tmp_path, members, status="live", confirm="exp/a").mode is Mode.REWIND


def test_a_lease_that_came_since_counts_too(tmp_path: Path) -> None:
    members = saved(tmp_path, 5, 6)
    lease = tmp_path / RUN / ".waypoint/lease.json"
    lease.parent.mkdir()
    lease.write_text("{}")
    with pytest.raises(ConfirmError):
        hand_over(tmp_path, members)
    os.utime(lease, (1, 1))
    hand_over(tmp_path, members)


def test_a_mode_that_is_not_possible_is_refused_with_those_that_are(tmp_path: Path) -> None:
    members = saved(tmp_path, 5, 6)
    with pytest.raises(ModeError, match=r"ckpt-5: continue is not possible\. Newer .*\. Possible: rewind or fork\."):
        hand_over(tmp_path, members, Mode.CONTINUE)
    with pytest.raises(ModeError, match=r"rewind is not possible\. Nothing is newer, .* Possible: continue or fork\."):
        hand_over(tmp_path, members[:1])
    with pytest.raises(ValueError, match="fork"):
        hand_over(tmp_path, members, Mode.FORK)
    assert read_manifests(RunFolder.alone(tmp_path / RUN)).entries == ()


def test_overrides_are_handed_over_and_checked(tmp_path: Path) -> None:
    members = saved(tmp_path, 5)
    chosen = {"learning_rate": 0.001, "nesterov": True, "name": None}
    assert hand_over(tmp_path, members, Mode.CONTINUE, overrides=chosen).overrides == chosen
    with pytest.raises(ManifestError, match=r"in 'overrides\.learning_rate'"):
        hand_over(tmp_path, members, Mode.CONTINUE, overrides={"learning_rate": math.nan})


def test_without_its_plan_no_manifest_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = saved(tmp_path, 5, 6)
    first = hand_over(tmp_path, members)
    real = os.replace

    def full(source: Path, target: Path) -> None:
        if str(target).endswith(".plan.json"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        hand_over(tmp_path, members)
    assert [entry.manifest.id for entry in read_manifests(RunFolder.alone(tmp_path / RUN)).entries] == [first.id]


def test_of_a_read_only_run_the_plan_lies_where_the_manifest_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = saved(tmp_path / "root", 5, 6)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    manifest = hand_over(tmp_path / "root", members, decisions_dir=tmp_path / "apart")
    home = decisions_folder(tmp_path / "apart", "r00t", RUN)
    assert read_plan(home, manifest.id).manifest == manifest.id
    assert os.listdir(tmp_path / "root" / RUN) == ["ckpts"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version"),
        ({"more": 1}, "more"),
        (
            {"items": [{"kind": "checkpoint", "path": "../x", "format": None, "reason": "", "files": ["a"]}]},
            "items[0].path",
        ),
        ({"items": [{"kind": "checkpoint", "path": "x", "format": None, "reason": "", "files": []}]}, "items[0].files"),
        ({"manifest": "0190163d-8694-739b-aea5-966c26f8ad91"}, "it is about the manifest 0190163d"),
    ],
    ids=["version", "field", "path", "no-file", "another"],
)
def test_a_broken_plan_is_named_with_its_place(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    manifest = hand_over(tmp_path, saved(tmp_path, 5, 6))
    path = plan_path(tmp_path / RUN, manifest.id)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CoreError, match="cannot be understood") as caught:
        read_plan(tmp_path / RUN, manifest.id)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


def test_a_job_sets_aside_what_the_plan_names_and_what_was_saved_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOINT_JOB", "17")
    members = [*saved(tmp_path, 5, 6), a_backup(tmp_path)]
    for file in members[-1].files:
        os.utime(tmp_path / RUN / "backup" / file.name, ns=(1, 1))
    members[-1] = members[-1]._replace(files=(members[-1].files[0]._replace(mtime_ns=1),))
    manifest = hand_over(tmp_path, members)
    saved(tmp_path, 4, 7)  # 4 is older than the plan knows, and none of its series
    decision = decide(tmp_path / RUN)
    assert decision.lease is not None
    moved = set_aside(decision)
    decision.lease.release()
    assert sorted(moved) == sorted(
        [*(item.path for item in read_plan(tmp_path / RUN, manifest.id).items), "ckpts/ckpt-7"]
    )
    held = tmp_path / RUN / f".waypoint/rewound/{manifest.id}/files"
    assert sorted(name for name in tree_of(held) if name.startswith("ckpts")) == [
        f"ckpts/ckpt-{number}.{end}" for number in (6, 7) for end in ("data-00000-of-00001", "index")
    ]
    assert sorted(os.listdir(tmp_path / RUN / "backup")) == ["mine.txt"]
    assert len(os.listdir(tmp_path / RUN / "ckpts")) == 4


def test_a_proposal_knows_its_outlook() -> None:
    pick = a_checkpoint()
    proposal: Proposal = propose(pick, (pick,), a_run(), NOW)
    assert [proposal.outlook(mode).mode for mode in Mode] == list(Mode)
