"""The plan: what is protected is never in it, its bytes are true, and what changed since it was made is left out."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.facts import Format
from core.base.files import FileStat, Problem
from core.base.records import Checkpoint, Health, Leftover
from core.catalog.filters import CheckpointFilter
from core.documents.plans import plan_document
from core.resume.history import ManifestEntry, Manifests, ManifestState, read_manifests
from core.resume.manifest import Manifest
from core.retention.plan import checkpoint_files, plan_run
from core.retention.planned import ItemKind, Plan, PlannedFile, RunState, freed
from core.retention.policies import KeepLatest, Policy, Rule
from core.retention.recheck import Reclaimable, Replan, look_again
from core.runfolder.pins import Pin, Pins, pin, read_pins
from core.runfolder.places import locked
from core.runfolder.run_folder import Liveness, RunFolder
from core.runs.series import arrange
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.resume.test_resume_write import write as write_manifest
from tests.support.any_rule import rules
from tests.support.findings import finding
from tests.support.resume_cases import a_checkpoint, on_disk
from tests.support.trees import MINUTE_NS, START, START_NS, a_member, save, shard_of, state, write

# A busy machine is slow, not wrong.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GRACE = 60.0
NOW_NS = START_NS + 10_000 * MINUTE_NS
LATEST = Policy(rules=(KeepLatest(1),))


def a_state(*items: Checkpoint, **changes: object) -> RunState:
    """An idle run with these checkpoints, and no decision about it."""
    known: dict[str, object] = {"leftovers": (), "pins": Pins(), "manifests": Manifests(), "is_live": False}
    known |= {"root": "r00t", "root_path": "/data", "run": "run", "now_ns": NOW_NS, "checkpoints": items}
    return RunState(**(known | changes))  # type: ignore[arg-type]


def plan_of(one: RunState, policy: Policy = LATEST) -> Plan:
    return Plan(made_at=START, runs=(plan_run(one, policy, GRACE),))


def goes(plan: Plan) -> list[str]:
    return [item.path for run in plan.runs for item in run.items]


def why(plan: Plan, path: str) -> tuple[str, ...]:
    """Why something stays."""
    (found,) = (item for run in plan.runs for item in run.stays if item.path == path)
    return found.reasons


def damaged(name: str, step: int, rule: str = "missing-shard") -> Checkpoint:
    item = a_member(name, step=step, restorable=False)
    return item._replace(findings=(finding(rule, item.path, "Something is missing."),))


def members(*steps: int) -> list[Checkpoint]:
    return [a_member(f"ckpt-{step}", step=step) for step in steps]


def a_pin(path: str, form: Format = Format.TF_BUNDLE, note: str = "") -> Pins:
    return Pins(pins=(Pin(path=path, format=form, note=note, by="ada", at="2026-01-31T09:30:00Z"),))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A manifest as it is really written."""
    root = tmp_path_factory.mktemp("root")
    return write_manifest(root, on_disk(root, a_checkpoint()))[0]


def named(manifest: Manifest, path: str, **entry: object) -> Manifests:
    """A manifest that names a checkpoint, pending if nothing else is said."""
    chosen = manifest.checkpoint.model_copy(update={"path": path})
    known: dict[str, object] = {"state": ManifestState.PENDING, "is_current": True, "path": Path("x")}
    known["manifest"] = manifest.model_copy(update={"checkpoint": chosen})
    return Manifests(entries=(ManifestEntry(**(known | entry)),))  # type: ignore[arg-type]


def test_without_a_policy_no_checkpoint_goes() -> None:
    plan = plan_of(a_state(*members(1, 2), damaged("ckpt-0", 0)), Policy())
    assert goes(plan) == []
    assert why(plan, "ckpts/ckpt-1") == why(plan, "ckpts/ckpt-0") == ("no retention policy for it",)
    assert why(plan, "ckpts/ckpt-2") == ("latest restorable",)


def test_a_policy_selects_and_the_rest_says_why_it_stays() -> None:
    plan = plan_of(a_state(*members(1, 2, 3, 4)), Policy(rules=(KeepLatest(2),)))
    assert goes(plan) == ["ckpts/ckpt-1", "ckpts/ckpt-2"]
    assert plan.runs[0].items[0].reason == "no rule of the policy keeps it"
    assert why(plan, "ckpts/ckpt-3") == ("one of the latest 2",)
    assert why(plan, "ckpts/ckpt-4") == ("latest restorable", "one of the latest 2")


def test_each_series_keeps_its_latest_restorable() -> None:
    others = [a_member(f"gan-{step}", step=step) for step in (1, 2)]
    plan = plan_of(a_state(*members(1, 2), *others, a_member("alone.keras", form=Format.KERAS)))
    assert goes(plan) == ["ckpts/ckpt-1", "ckpts/gan-1"]
    assert why(plan, "ckpts/alone.keras")[:2] == ("latest restorable", "sole member of its series")


def test_damaged_ones_go_by_a_policy_and_only_behind_a_whole_one() -> None:
    items = [damaged("ckpt-1", 1), *members(2, 3), damaged("ckpt-4", 4)]
    assert goes(plan_of(a_state(*items))) == ["ckpts/ckpt-1", "ckpts/ckpt-2"]
    reason = "damaged, and nothing newer can be restored: its files may be brought back"
    assert why(plan_of(a_state(*items)), "ckpts/ckpt-4") == (reason,)
    nothing_whole = plan_of(a_state(damaged("ckpt-1", 1), damaged("ckpt-2", 2)))
    assert goes(nothing_whole) == []
    assert why(nothing_whole, "ckpts/ckpt-1") == (reason,)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pins": a_pin("ckpts/ckpt-1", note="paper")}, "pinned by ada: paper"),
        (
            {"pins": Pins(problems=(Problem(path="p", problem="cut"),))},
            "pins cannot be read, so that everything counts as pinned (p: cut)",
        ),
        (
            {"manifests": Manifests(problems=(Problem(path="m", problem="cut"),))},
            "a manifest cannot be read, so that nothing it may name goes (m: cut)",
        ),
        ({"is_live": True}, "live run: only leftovers go"),
    ],
    ids=["pinned", "pins-unreadable", "manifests-unreadable", "live"],
)
def test_what_protects_a_checkpoint(changes: dict[str, object], reason: str) -> None:
    plan = plan_of(a_state(*members(1, 2), **changes))
    assert goes(plan) == []
    assert why(plan, "ckpts/ckpt-1") == (reason,)


def test_a_pin_of_another_format_is_about_another_checkpoint() -> None:
    assert goes(plan_of(a_state(*members(1, 2), pins=a_pin("ckpts/ckpt-1", Format.KERAS)))) == ["ckpts/ckpt-1"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "pending manifest (ada, "),
        ({"state": ManifestState.CLAIMED, "claim": {"id": 1}}, "claimed manifest, its job has not finished (ada, "),
        ({"state": ManifestState.SUPERSEDED, "claim": {}}, "claimed manifest, its job has not finished (ada, "),
        ({"state": ManifestState.FINISHED, "claim": {"finished_at": "x"}}, None),
        ({"state": ManifestState.WITHDRAWN, "withdrawal": {}}, None),
        ({"state": ManifestState.SUPERSEDED}, None),
    ],
    ids=["pending", "claimed", "superseded-but-claimed", "finished", "withdrawn", "superseded"],
)
def test_what_a_job_may_still_restore_stays(manifest: Manifest, entry: dict[str, object], reason: str | None) -> None:
    plan = plan_of(a_state(*members(1, 2), manifests=named(manifest, "ckpts/ckpt-1", **entry)))
    assert goes(plan) == ([] if reason else ["ckpts/ckpt-1"])
    assert reason is None or why(plan, "ckpts/ckpt-1")[0].startswith(reason)


def a_leftover(name: str = "ckpt-9", *, age_s: float = 3600, writing: bool = False) -> Leftover:
    file = FileStat(f"{name}.data-00000-of-00001", 9, NOW_NS - int(age_s * 1e9), 900, 1, 1, 4096)
    return Leftover(path=f"run/ckpts/{name}", rule="orphan-shard", files=(file,), reason="Shards.", writing=writing)


@pytest.mark.parametrize("is_live", [False, True], ids=["idle", "live"])
def test_leftovers_past_the_grace_go_without_a_policy(is_live: bool) -> None:
    young, old = a_leftover("ckpt-8", age_s=59), a_leftover()
    plan = plan_of(a_state(*members(1), leftovers=(young, old), is_live=is_live), Policy())
    (item,) = plan.runs[0].items
    assert (item.kind, item.path, item.reason, item.format) == (ItemKind.LEFTOVER, "ckpts/ckpt-9", "Shards.", None)
    assert item.files == (PlannedFile("ckpts/ckpt-9.data-00000-of-00001", 9, NOW_NS - 3600 * 10**9, 4096, 1, 900, 1),)
    assert why(plan, "ckpts/ckpt-8") == ("a leftover that is too young: a save may still be writing it",)
    assert goes(plan_of(a_state(leftovers=(old,)), Policy(leftovers_after=7200))) == []


@pytest.mark.parametrize("other", [(), ("other-1",)], ids=["of the run", "of the series"])
def test_what_may_be_all_that_is_left_stays(other: tuple[str, ...]) -> None:
    whole = [a_member(name, step=1) for name in other]
    tmp = damaged("5.orbax-checkpoint-tmp", 5, "interrupted-save")._replace(format=Format.ORBAX)
    shard = a_leftover("ckpt-7")
    state = replace(a_state(tmp, *whole), leftovers=(shard, a_leftover("ckpt-9_temp")))
    plan = plan_of(state, Policy())
    assert goes(plan) == []
    said = "can be restored: its values may be brought back"
    for path in ("ckpts/5.orbax-checkpoint-tmp", "ckpts/ckpt-7", "ckpts/ckpt-9_temp"):
        assert any(reason.endswith(said) for reason in why(plan, path))
    kept = replace(state, checkpoints=(*state.checkpoints, a_member("ckpt-6", step=6)))
    assert goes(plan_of(kept, Policy())) == ["ckpts/ckpt-7", "ckpts/ckpt-9_temp"]


def test_a_leftover_that_is_being_written_or_that_somebody_needs_stays(manifest: Manifest) -> None:
    assert goes(plan_of(a_state(leftovers=(a_leftover(writing=True),)))) == []
    assert goes(plan_of(a_state(leftovers=(a_leftover(),), pins=a_pin("ckpts/ckpt-9")))) == []
    assert goes(plan_of(a_state(leftovers=(a_leftover(),), manifests=named(manifest, "ckpts/ckpt-9")))) == []


def test_an_index_without_shards_is_a_leftover_unless_it_is_all_there_is() -> None:
    orphan = damaged("ckpt-1", 1, "orphan-index")
    plan = plan_of(a_state(orphan, *members(2)), Policy())
    assert [(item.kind, item.path) for item in plan.runs[0].items] == [(ItemKind.LEFTOVER, "ckpts/ckpt-1")]
    assert why(plan_of(a_state(orphan)), "ckpts/ckpt-1")[0] == "sole member of its series"
    newest = damaged("ckpt-9", 9, "orphan-index")
    (reason,) = why(plan_of(a_state(newest, *members(2)), Policy()), "ckpts/ckpt-9")
    assert reason.startswith("damaged, and nothing newer can be restored")
    young = a_state(orphan, *members(2), now_ns=orphan.files[0].mtime_ns + 10**9)
    assert goes(plan_of(young)) == []


def test_a_save_that_was_never_committed_is_a_leftover_although_nothing_else_has_its_name() -> None:
    item = damaged("5.orbax-checkpoint-tmp", 5, "interrupted-save")._replace(format=Format.ORBAX)
    whole = a_member("4", step=4)._replace(format=Format.ORBAX)
    assert goes(plan_of(a_state(item, whole), Policy())) == ["ckpts/5.orbax-checkpoint-tmp"]
    assert goes(plan_of(a_state(item._replace(findings=(), health=Health.WRITING), whole))) == []


def test_what_is_being_written_stays_whatever_the_policy_says() -> None:
    item = a_member("ckpt-1", step=1, restorable=False, health=Health.WRITING)
    assert "being written" in why(plan_of(a_state(item, *members(2, 3))), "ckpts/ckpt-1")


@pytest.mark.parametrize(
    ("form", "names"),
    [
        (Format.TF_BUNDLE, ("a.index", "a.data-00000-of-00002", "a.data-00001-of-00002", "a.meta")),
        (Format.SAVED_MODEL, ("saved_model.pb", "assets/x", "fingerprint.pb", "variables/variables.index")),
        (Format.WEIGHTS_H5_SHARDED, ("m.weights.json", "m_00000.weights.h5", "m_00001.weights.h5")),
        (Format.ORBAX, ("_CHECKPOINT_METADATA", "commit_success.txt", "array_metadatas/x", "d/manifest.ocdbt")),
        (Format.TF_V1, ("model", "model.meta")),
        (Format.KERAS, ("m.keras",)),
    ],
)
def test_what_makes_a_checkpoint_whole_goes_first(form: Format, names: tuple[str, ...]) -> None:
    files = tuple(FileStat(name, 1, 1) for name in reversed(names))
    item = a_member("x", form=form, folder="run/a")._replace(files=files)
    assert [file.path for file in checkpoint_files(item)] == [f"a/{name}" for name in names]


def test_a_run_that_is_its_root_has_paths_relative_to_it() -> None:
    items = [item._replace(run=".", folder="", path=f"ckpt-{n}") for n, item in enumerate(members(1, 2), start=1)]
    plan = plan_of(a_state(*items, run="."))
    assert [(item.path, item.files[0].path) for item in plan.runs[0].items] == [("ckpt-1", "ckpt-1.index")]
    assert plan.runs[0].folder == "/data"


def a_file(path: str, inode: int, links: int = 1) -> PlannedFile:
    return PlannedFile(path, 1, 1, 4096, links, inode, 1)


def test_only_files_whose_last_name_goes_free_bytes() -> None:
    assert freed([("/r", a_file("a", 1)), ("/r", a_file("b", 2, 2))]) == 4096
    assert freed([("/r", a_file("a", 1, 2)), ("/s", a_file("a", 1, 2))]) == 4096
    assert freed([("/r", a_file("a", 1, 2)), ("/r", a_file("a", 1, 2))]) == 0
    assert freed([]) == 0


class Case(NamedTuple):
    """A random run, and what was decided about it."""

    state: RunState
    pinned: frozenset[str]
    handed_over: frozenset[str]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some series, whole and damaged, with leftovers, links among the files, pins and manifests."""
    items: list[Checkpoint] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["whole", "whole", "whole", "missing-shard", "orphan-index", "interrupted-save"]))
        stem_, loss = draw(st.sampled_from(["ckpt", "gan"])), draw(st.sampled_from([None, 0.1, 0.5]))
        step = draw(st.none() | st.integers(1, 50))
        item = a_member(f"{stem_}-{number}", step=step, minute=draw(st.integers(0, 9_999)), restorable=kind == "whole")
        item = item._replace(metric=None if loss is None else ("val_loss", loss))
        if kind != "whole":
            findings = (finding(kind, item.path, "x"),)
            item = item._replace(findings=findings)
            if draw(st.booleans()):
                item = item._replace(findings=(), health=Health.WRITING)
        time_ns = item.files[0].mtime_ns
        size, inode = draw(st.integers(0, 9)), draw(st.integers(1, 8))
        items.append(item._replace(files=(FileStat(f"{stem_}-{number}.index", size, time_ns, inode, 1),), bytes=size))
    left = tuple(
        a_leftover(f"left-{number}", age_s=draw(st.integers(-10, 200)), writing=draw(st.booleans()))
        for number in range(draw(st.integers(0, 3)))
    )
    # As on a disk: the names of an inode have one allocated size and one number of links, some of them elsewhere.
    more = {inode: draw(st.integers(0, 1)) for inode in range(1, 9)}
    count = {inode: sum(item.files[0].inode == inode for item in items) for inode in more}
    items = [
        item._replace(files=(file._replace(links=count[file.inode] + more[file.inode], allocated=file.inode * 512),))
        for item in items
        for file in item.files
    ]
    left = tuple(replace(one, files=(one.files[0]._replace(inode=100 + number),)) for number, one in enumerate(left))
    paths = [path.removeprefix("run/") for path in (*(item.path for item in items), *(one.path for one in left))]
    pinned = frozenset(draw(st.lists(st.sampled_from(paths), max_size=2)) if paths else ())
    handed_over = frozenset(draw(st.lists(st.sampled_from(paths), max_size=2)) if paths else ())
    pins = Pins(pins=tuple(one for path in sorted(pinned) for one in a_pin(path).pins))
    run = a_state(*items, leftovers=left, pins=pins, is_live=draw(st.booleans()))
    return Case(run, pinned, handed_over)


policies = st.builds(Policy, rules=st.lists(rules, max_size=3).map(tuple))


def with_manifests(case: Case, manifest: Manifest) -> RunState:
    entries = [entry for path in sorted(case.handed_over) for entry in named(manifest, path).entries]
    return replace(case.state, manifests=Manifests(entries=tuple(entries)))


@PATIENT
@given(case=cases(), policy=policies)
def test_what_is_protected_is_never_in_a_plan(manifest: Manifest, case: Case, policy: Policy) -> None:
    run = with_manifests(case, manifest)
    plan = plan_of(run, policy).runs[0]
    kinds = {item.path: item.kind for item in plan.items}
    assert not kinds.keys() & (case.pinned | case.handed_over)
    if run.is_live or not policy.rules:
        assert set(kinds.values()) <= {ItemKind.LEFTOVER}
    uncommitted = {item for item in run.checkpoints if any(one.rule == "interrupted-save" for one in item.findings)}
    for series in arrange(item for item in run.checkpoints if item not in uncommitted):
        names = [item.path.removeprefix("run/") for item in series]
        whole = [name for name, item in zip(names, series, strict=True) if item.restorable]
        assert len(names) > 1 or names[0] not in kinds
        assert not whole or whole[-1] not in kinds
        assert all(kinds.get(name) is not ItemKind.LEFTOVER for name in whole)
        for name, item in zip(names, series, strict=True):
            assert item.health is not Health.WRITING or name not in kinds
            is_later = not whole or names.index(name) > names.index(whole[-1])
            assert kinds.get(name) is not ItemKind.CHECKPOINT or not is_later
    for one in plan.items:
        assert one.kind is ItemKind.CHECKPOINT or max(file.mtime_ns for file in one.files) < NOW_NS - GRACE * 1e9
    told = [*(one.path for one in plan.items), *(one.path for one in plan.stays)]
    known = [*(item.path for item in run.checkpoints), *(item.path for item in run.leftovers)]
    assert sorted(told) == sorted(path.removeprefix("run/") for path in known)


@PATIENT
@given(case=cases(), policy=policies)
def test_a_plans_bytes_are_those_of_its_files(case: Case, policy: Policy) -> None:
    plan = plan_of(case.state, policy)
    going = [file for item in plan.runs[0].items for file in item.files]
    assert plan.bytes == sum(file.size for file in going)
    everything = [file for item in case.state.checkpoints for file in item.files]
    everything += [file for left in case.state.leftovers for file in left.files]
    names = [file.path for file in going]
    assert plan.freed_bytes == sum(
        {
            file.inode: file.allocated
            for file in everything
            if file.links == sum(one.inode == file.inode and f"ckpts/{one.name}" in names for one in everything)
        }.values()
    )


@PATIENT
@given(case=cases(), policy=policies.filter(lambda policy: bool(policy.rules)), more=rules)
def test_another_rule_only_takes_away_from_a_plan(case: Case, policy: Policy, more: Rule) -> None:
    larger = set(goes(plan_of(case.state, policy)))
    assert set(goes(plan_of(case.state, replace(policy, rules=(*policy.rules, more))))) <= larger


@PATIENT
@given(case=cases(), policy=policies)
def test_a_plan_is_the_same_each_time_and_json_tells_all_of_it(case: Case, policy: Policy) -> None:
    plan = plan_of(case.state, policy)
    assert plan == plan_of(case.state, policy)
    document = json.loads(json.dumps(plan_document(plan)))
    assert (document["version"], document["made_at"]) == (1, "2026-01-31T09:30:00Z")
    (run,) = document["runs"]
    assert [item["path"] for item in run["goes"]] == goes(plan)
    assert sum(file["size"] for item in run["goes"] for file in item["files"]) == document["bytes"]
    assert [item["reasons"] for item in run["stays"]] == [list(item.reasons) for item in plan.runs[0].stays]


def test_a_plan_as_json() -> None:
    plan = plan_of(a_state(*members(1, 2)))
    time_ns = START_NS + MINUTE_NS
    file = {"path": "ckpts/ckpt-1.index", "size": 10, "mtime_ns": time_ns, "allocated": 0, "links": 1}
    going = {"kind": "checkpoint", "path": "ckpts/ckpt-1", "format": "tf-bundle", "bytes": 10, "freed_bytes": 0}
    going |= {"reason": "no rule of the policy keeps it", "files": [{**file, "inode": 0, "device": 0}]}
    staying = {"kind": "checkpoint", "path": "ckpts/ckpt-2", "format": "tf-bundle", "bytes": 10, "protected": True}
    staying["reasons"] = ["latest restorable", "the latest"]
    run = {"root": "/data", "run": "run", "live": False, "emptied": None, "goes": [going], "stays": [staying]}
    assert plan_document(plan) == {
        "version": 1,
        "made_at": "2026-01-31T09:30:00Z",
        "bytes": 10,
        "freed_bytes": 0,
        "runs": [run],
    }


class Disk(NamedTuple):
    """A run with five checkpoints and orphan shards on disk, indexed."""

    root: Path
    space: Workspace

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.root / "run"

    def state(self) -> RunState:
        """What is known and decided now."""
        self.space.refresh()
        (root,) = self.space.reader.roots()
        return RunState(
            root=root.id,
            root_path=root.path,
            run="run",
            is_live=False,
            now_ns=NOW_NS,
            checkpoints=self.space.reader.checkpoints(CheckpointFilter(root=root.id), limit=None).items,
            leftovers=self.space.reader.leftovers(root.id, "run"),
            pins=read_pins(RunFolder.alone(self.run)),
            manifests=read_manifests(RunFolder.alone(self.run)),
        )

    def plan(self, policy: Policy = LATEST) -> Plan:
        """A plan made now."""
        return plan_of(self.state(), policy)

    def recheck(self, plan: Plan, state: RunState | None = None, policy: Policy = LATEST) -> Reclaimable:
        """A plan looked at again, with the catalog brought up to date, or with what was known before."""
        (run,) = plan.runs
        replan = Replan(state=state or self.state(), policy=policy, grace=60.0)
        with locked(self.run):
            place = RunFolder(root_path=str(self.root), run="run", folder=self.run, liveness=Liveness(live_window=0.0))
            return look_again(place, run, replan)


@pytest.fixture
def disk(tmp_path: Path, workspace: Opener) -> Disk:
    """See Disk. One shard of the third checkpoint has a second name elsewhere."""
    root = tmp_path / "root"
    for step in range(1, 6):
        save(root / "run/ckpts", step)
    state(root / "run/ckpts", "ckpt-5", *(f"ckpt-{step}" for step in range(1, 6)))
    write(root / "run/ckpts", {"ckpt-9.data-00000-of-00001": b"x" * 9_000})
    os.link(shard_of(root / "run/ckpts/ckpt-3"), tmp_path / "elsewhere")
    return Disk(root, workspace(root))


def du(root: Path) -> int:
    done = subprocess.run(["du", "-s", "-B1", str(root)], capture_output=True, text=True, check=True)
    return int(done.stdout.split("\t")[0])


def test_the_bytes_freed_are_what_du_loses(disk: Disk, tmp_path: Path) -> None:
    plan = disk.plan()
    assert goes(plan) == [*(f"ckpts/ckpt-{step}" for step in range(1, 5)), "ckpts/ckpt-9"]
    kept = (tmp_path / "elsewhere").stat()
    before, with_the_link = du(disk.root), du(tmp_path)
    for run in plan.runs:
        for item in run.items:
            for file in item.files:
                (disk.run / file.path).unlink()
    assert with_the_link - du(tmp_path) == plan.freed_bytes
    assert before - du(disk.root) == plan.freed_bytes + kept.st_blocks * 512


def test_an_unchanged_disk_leaves_the_plan_as_it_is(disk: Disk) -> None:
    plan = disk.plan()
    again = disk.recheck(plan)
    assert again.left_out == ()
    assert again.items == plan.runs[0].items


def handed_over_since(disk: Disk) -> None:
    (root,) = disk.space.reader.roots()
    item = disk.space.reader.checkpoint(root.id, "run/ckpts/ckpt-2")
    proposal = propose(disk.space, item)
    resume_from(disk.space, item, proposal, note="", accepted=[warning.id for warning in proposal.warnings])


def pinned_since(disk: Disk) -> None:
    pin(RunFolder.alone(disk.run), "ckpts/ckpt-2", Format.TF_BUNDLE, actor="ada", now=START)


def written_since(disk: Disk) -> None:
    with shard_of(disk.run / "ckpts/ckpt-2").open("ab") as file:
        file.write(b"more")
    os.utime(shard_of(disk.run / "ckpts/ckpt-2"), ns=(START_NS, START_NS))


def touched_since(disk: Disk) -> None:
    os.utime(shard_of(disk.run / "ckpts/ckpt-2"), ns=(NOW_NS, NOW_NS - 9 * MINUTE_NS))


def replaced_since(disk: Disk) -> None:
    shard = shard_of(disk.run / "ckpts/ckpt-2")
    copy = shard.with_name("copy")
    copy.write_bytes(shard.read_bytes())
    os.utime(copy, ns=(shard.stat().st_atime_ns, shard.stat().st_mtime_ns))
    copy.replace(shard)


def linked_since(disk: Disk) -> None:
    shard = shard_of(disk.run / "ckpts/ckpt-2")
    shard.rename(disk.run / "aside")
    shard.symlink_to(disk.run / "aside")


def gone_since(disk: Disk) -> None:
    for path in (disk.run / "ckpts").glob("ckpt-2.*"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "looked_at", "indexed"),
    [
        (pinned_since, None, "pinned by ada"),
        (handed_over_since, None, "pending manifest (ada, "),
        (written_since, "bytes instead of", None),
        (touched_since, "was written since", None),
        (replaced_since, "was replaced since", None),
        (linked_since, "is no longer there as a plain file", None),
        (gone_since, "is no longer there as a plain file", "it is no longer there, or no longer what it was"),
    ],
)
def test_what_changed_since_is_left_out_and_said(
    disk: Disk, change: Callable[[Disk], None], looked_at: str | None, indexed: str | None
) -> None:
    plan, known = disk.plan(), disk.state()
    change(disk)
    again = disk.recheck(plan)
    (left,) = again.left_out
    assert (left.path, left.run, left.format) == ("ckpts/ckpt-2", "run", Format.TF_BUNDLE)
    expected = indexed or looked_at
    assert expected is not None
    assert expected in left.reasons[0]
    assert [item.path for item in again.items] == [path for path in goes(plan) if path != "ckpts/ckpt-2"]
    # Also where the catalog has not noticed: the look at the files is enough.
    if looked_at is not None:
        (left,) = disk.recheck(plan, known).left_out
        assert looked_at in left.reasons[0]


def test_a_link_made_since_frees_less(disk: Disk, tmp_path: Path) -> None:
    plan, known = disk.plan(), disk.state()
    shard = shard_of(disk.run / "ckpts/ckpt-1")
    os.link(shard, tmp_path / "kept")
    again = disk.recheck(plan, known)
    assert again.left_out == ()
    freed_now = freed((str(disk.run), file) for item in again.items for file in item.files)
    assert plan.freed_bytes - freed_now == shard.stat().st_blocks * 512


def test_what_a_new_policy_keeps_is_left_out(disk: Disk) -> None:
    plan = disk.plan()
    again = disk.recheck(plan, policy=Policy(rules=(KeepLatest(3),)))
    assert [item.path for item in again.items] == ["ckpts/ckpt-1", "ckpts/ckpt-2", "ckpts/ckpt-9"]
    assert [one.reasons for one in again.left_out] == [("one of the latest 3",)] * 2


def test_a_run_that_went_live_keeps_all_but_its_leftovers(disk: Disk) -> None:
    plan = disk.plan()
    again = disk.recheck(plan, replace(disk.state(), is_live=True))
    assert [item.path for item in again.items] == ["ckpts/ckpt-9"]
    assert {one.reasons[0] for one in again.left_out} == {"live run: only leftovers go"}
    assert again.state.is_live


def test_a_run_that_is_gone_loses_nothing_more(disk: Disk) -> None:
    plan = disk.plan()
    again = disk.recheck(plan, replace(disk.state(), checkpoints=(), leftovers=()))
    assert again.items == ()
    assert len(again.left_out) == 5


def test_other_files_under_the_same_name_are_left_out(disk: Disk) -> None:
    plan = disk.plan()
    write(disk.run / "ckpts", {"ckpt-2.meta": b"graph"})
    (left,) = disk.recheck(plan).left_out
    assert (left.path, left.reasons) == ("ckpts/ckpt-2", ("it has other files now",))


def test_files_carry_what_the_disk_says_of_them(disk: Disk) -> None:
    for item in disk.plan().runs[0].items:
        for file in item.files:
            found = (disk.run / file.path).stat()
            assert file == PlannedFile(
                file.path,
                found.st_size,
                found.st_mtime_ns,
                found.st_blocks * 512,
                found.st_nlink,
                found.st_ino,
                found.st_dev,
            )


@pytest.mark.parametrize("name", ["fold{}-{:02d}", "cv-{}-{:02d}", "{}_{:02d}", "ckpt-{1:02d}_seed{0}"])
@pytest.mark.parametrize("knows_steps", [True, False], ids=["steps", "no-steps"])
def test_no_fold_goes_as_a_whole_however_often_a_plan_is_carried_out(name: str, knows_steps: bool) -> None:
    items = [
        a_member(name.format(fold, epoch), step=10 * epoch if knows_steps else None, minute=100.0 * fold + epoch)
        for fold in (1, 2, 3)
        for epoch in (1, 2, 3, 4)
    ]
    left = items
    for _ in range(3):
        gone = {f"run/{path}" for path in goes(plan_of(a_state(*left)))}
        left = [item for item in left if item.path not in gone]
    assert [item.path for item in left] == [item.path for item in items if item.path.partition("04")[1]]


def test_of_models_that_are_as_far_trained_none_goes() -> None:
    """Five trainings of a cross-validation: each model is the only one of its training."""
    assert goes(plan_of(a_state(*(a_member(f"model_{fold}", step=90, minute=fold) for fold in range(5))))) == []
