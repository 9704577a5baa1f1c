"""Runs on disk with checkpoints of every form, what is known of them, and actions on them."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from core.acts.quarantine import Act, Quarantined, holding_plan, quarantine
from core.acts.recovery import Returned
from core.acts.undo import OnConflict, undo
from core.base.facts import Facts, Sourced
from core.base.records import Checkpoint, Leftover, Root, SavedAtSource
from core.formats.spec import Group
from core.indexing.leftovers import leftovers
from core.resume.history import read_manifests
from core.retention.plan import plan_run
from core.retention.planned import RunPlan, RunState
from core.retention.policies import KeepLatest, Policy
from core.retention.recheck import Replan
from core.runfolder.pins import read_pins
from core.runfolder.run_folder import Liveness, RunFolder
from core.runs.group import group
from core.runs.walk import look
from core.services.workspace import Workspace
from core.stores.local import LocalStore
from tests.support.resume_cases import NOW
from tests.support.trees import START_NS, write
from waypoint_resume.file_names import read_name
from waypoint_resume.names import join

RUN = "exp/a"
KEEP_ONE = Policy(rules=(KeepLatest(1),))
GRACE_NS = 60 * 1_000_000_000
DAY_NS = 86_400 * 1_000_000_000


class FileFacts(NamedTuple):
    """What must come back of a file."""

    content: bytes
    mode: int
    mtime_ns: int


def tree(folder: Path) -> dict[str, FileFacts]:
    """Every regular file below a folder but Waypoint's own."""
    return {
        path.relative_to(folder).as_posix(): FileFacts(
            path.read_bytes(), stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime_ns
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".waypoint" not in path.parts
    }


def folders(folder: Path) -> dict[str, int]:
    """Every folder but Waypoint's own, and its mode."""
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_dir() and ".waypoint" not in path.parts
    }


def in_quarantine(run: Path) -> dict[str, FileFacts]:
    """Every file in some batch, by its path in the run."""
    found: dict[str, FileFacts] = {}
    for batch in (run / ".waypoint/quarantine").glob("*/files"):
        held = tree_of(batch)
        assert not held.keys() & found.keys()
        found |= held
    return found


def tree_of(folder: Path) -> dict[str, FileFacts]:
    """As `tree`, for a folder within `.waypoint`."""
    return {
        path.relative_to(folder).as_posix(): FileFacts(
            path.read_bytes(), stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime_ns
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run below a root, as every actor finds it: known by its names alone, or from a catalog. `live_window` is in
    seconds.
    """

    root: Path
    run: str = RUN
    policy: Policy = KEEP_ONE
    live_window: float = 3600.0
    inner: frozenset[str] = field(default_factory=frozenset)
    decisions: Path | None = None
    workspace: Workspace | None = None

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.root if self.run == "." else self.root / self.run

    @property
    def run_folder(self) -> RunFolder:
        """What every action needs."""
        place = RunFolder.of(Root(id="r00t", path=str(self.root)), self.run, self.decisions)
        return replace(place, liveness=Liveness(live_window=self.live_window, inner=self.inner))

    def state(self) -> RunState:
        """What a look at the disk tells, with the decisions left empty."""
        if self.workspace is not None:
            return self._known(self.workspace)
        store = LocalStore(str(self.root))
        now_ns = store.now_ns()
        seen = list(_units(store, "" if self.run == "." else self.run, self.run, now_ns))
        return RunState(
            root="r00t",
            root_path=str(self.root),
            run=self.run,
            is_live=self.run_folder.is_live(),
            now_ns=now_ns,
            checkpoints=tuple(item for item in seen if isinstance(item, Checkpoint)),
            leftovers=tuple(item for item in seen if isinstance(item, Leftover)),
            pins=read_pins(RunFolder.alone(self.folder)),
            manifests=read_manifests(RunFolder.alone(self.folder)),
        )

    def _known(self, workspace: Workspace) -> RunState:
        """The same from a catalog, which is brought up to date."""
        workspace.refresh()
        (root,) = workspace.reader.roots()
        return RunState(
            root=root.id,
            root_path=root.path,
            run=self.run,
            is_live=workspace.find_run(self.run).status == "live",
            now_ns=LocalStore(root.path).now_ns(),
            checkpoints=workspace.members(root.id, self.run),
            leftovers=workspace.reader.leftovers(root.id, self.run),
            pins=read_pins(RunFolder.alone(self.folder)),
            manifests=read_manifests(RunFolder.alone(self.folder)),
        )

    def plan(self) -> RunPlan:
        """The run's part of a plan."""
        return plan_run(self.state(), self.policy, 60.0)

    def go(self, plan: RunPlan | None = None) -> Quarantined:
        """Carry out a plan, by default the one of now."""
        with holding_plan(self.run_folder, plan or self.plan(), Act(actor="ada", now=NOW, note="old")) as held:
            return quarantine(held, Replan(state=self.state(), policy=self.policy, grace=60.0))

    def undo(self, batch: str, on_conflict: OnConflict = OnConflict.REFUSE) -> Returned:
        """Undo a batch."""
        return undo(self.run_folder, batch, actor="bob", now=NOW, on_conflict=on_conflict)


def _units(store: LocalStore, folder: str, run: str, now_ns: int) -> Iterator[Checkpoint | Leftover]:
    """The checkpoints and leftovers at and below a folder, judged by their names alone."""
    listing = look(store, folder)
    found = group(listing)
    for one in found.checkpoints:
        yield _checkpoint(one, folder, run)
    yield from leftovers(listing, found, now_ns, GRACE_NS)
    for below in listing.subfolders:
        yield from _units(store, join(folder, below), run, now_ns)


def _checkpoint(one: Group, folder: str, run: str) -> Checkpoint:
    path = join(folder, one.name) if one.name else folder
    numbers = re.findall(r"\d+", path.rpartition("/")[2].removesuffix(".h5"))
    step = int(numbers[0]) if numbers else 0
    newest = max((file.mtime_ns for file in one.files), default=START_NS)
    return Checkpoint(
        root="r00t",
        run=run,
        path=path or ".",
        folder=folder,
        format=one.format,
        files=one.files,
        saved_at=datetime.fromtimestamp(newest / 1e9, UTC),
        saved_at_source=SavedAtSource.MTIME,
        bytes=sum(file.size for file in one.files),
        facts=Facts(step=Sourced(step, "the name"), fingerprint=one.format.value),
        restorable=True,
        stem=read_name(path.rpartition("/")[2]).stem,
    )


def bundle_files(prefix: str, shards: int = 1, size: int = 40) -> dict[str, bytes]:
    """Files that are named as a bundle's."""
    files = {f"{prefix}.index": f"index of {prefix}".encode()}
    for number in range(shards):
        files[f"{prefix}.data-{number:05}-of-{shards:05}"] = bytes([number + 65]) * size
    return files


def state_text(latest: int, *listed: int, preserved: float = 1000.0) -> bytes:
    """A state file as a CheckpointManager writes it, its times one second apart."""
    lines = [f'model_checkpoint_path: "ckpt-{latest}"']
    lines += [f'all_model_checkpoint_paths: "ckpt-{number}"' for number in listed]
    lines += [f"all_model_checkpoint_timestamps: {2000.0 + number}" for number in listed]
    return ("\n".join([*lines, f"last_preserved_timestamp: {preserved}"]) + "\n").encode()


def fill(folder: Path) -> None:
    """A run that was trained in every form: what may go of it with KEEP_ONE is all but the newest of each."""
    for number in (1, 2, 3):
        at_ns = START_NS + number * 1_000_000_000
        write(folder / "ckpts", bundle_files(f"ckpt-{number}", shards=number), at_ns)
        write(folder / "keras", {f"m-{number}.keras": b"PK" * number}, at_ns)
        parts = {"saved_model.pb": b"graph", "fingerprint.pb": b"f"}
        write(folder / f"export/{number}", parts, at_ns)
        write(folder / f"export/{number}/variables", bundle_files("variables"), at_ns)
        (folder / f"export/{number}/assets").mkdir()
        step = {"_CHECKPOINT_METADATA": b"{}", "d/a": b"a" * number, "d/deep/b": b"b", "_METADATA": b"{}"}
        write(folder / f"orbax/{number}", step, at_ns)
        (folder / f"orbax/{number}/empty").mkdir()
    write(folder / "ckpts", {"checkpoint": state_text(3, 1, 2, 3)}, START_NS + 4_000_000_000)
    write(folder / "ckpts", {"ckpt-9.data-00000-of-00002": b"orphan"})
    write(folder / "ckpts/ckpt-8_temp", {"part-00000-of-00001.data-00000-of-00001": b"temp"})
    write(folder, {"notes.txt": b"mine", "export/readme": b"mine too"})
    (folder / "export/1").chmod(0o750)
    (folder / "export/1/variables").chmod(0o700)
    (folder / "ckpts/ckpt-1.index").chmod(0o640)
    for number in (1, 2):
        for place in ("variables", "assets", ""):
            os.utime(folder / f"export/{number}" / place, ns=(START_NS + number, START_NS + number))


def a_case(root: Path, **more: object) -> Case:
    """A filled run."""
    case = Case(root=root, **more)  # type: ignore[arg-type]
    case.folder.mkdir(parents=True)
    fill(case.folder)
    return case
