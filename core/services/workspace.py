"""The one facade over catalog, disk and resume that the pages and the shell share."""

import contextlib
import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.base.ages import SECOND_US, Ages, turning_points
from core.base.errors import AmbiguousError, NotFoundError, PlaceError
from core.base.facts import Facts, Variable
from core.base.files import Problem
from core.base.records import Checkpoint, IndexReport, Root, Run
from core.catalog.engine import FILE_NAME, open_catalog
from core.catalog.filters import CheckpointFilter, RunFilter
from core.catalog.in_memory import copy_into_memory
from core.catalog.queries import Reader
from core.catalog.sweeps import SweepReader
from core.config.settings import Settings
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.spec import Unit
from core.indexing.options import REREAD_SECONDS, Progress
from core.indexing.outside import standing
from core.indexing.passes import refresh_all, root_id
from core.resume.fork import fork
from core.resume.history import ManifestEntry, may_hold_manifests, read_manifests
from core.resume.manifest import Manifest, Mode, Scalar
from core.resume.propose import Proposal, propose
from core.resume.receipts import ReceiptEntry, has_state_beside, read_receipts
from core.resume.withdrawal import reinstate, withdraw
from core.resume.write import write_manifest
from core.retention.tables import parse_retention
from core.runfolder.liveness import Liveness
from core.runfolder.run_folder import RunFolder
from core.runs.choice import SeriesChoice, choose
from core.runs.state_files import prefixes, wanted_prefixes
from core.services.missing_runs import why_no_run
from core.stores.local import LocalStore
from waypoint_resume.heartbeat import Heartbeat
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import MANIFEST, can_write


class Workspace:
    """Settings, the catalog they lead to, and what can be asked of and done with both."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.retention = parse_retention(settings.retention)
        self._use(engine)

    @classmethod
    def open(cls, settings: Settings) -> "Workspace":
        """Open the home's catalog. CatalogError where it cannot be used, SettingsError for wrong retention tables."""
        return cls(settings, open_catalog(settings.home))

    def close(self) -> None:
        """Let go of the catalog's connections."""
        self.engine.dispose()

    @classmethod
    def open_in_memory(cls, settings: Settings) -> "Workspace":
        """Open a copy in memory of the home's catalog, for a home on a full disk. sqlite3.Error where it cannot be
        read.
        """
        return cls(settings, copy_into_memory(settings.home / FILE_NAME))

    def go_on_in_memory(self) -> None:
        """Leave the home's catalog as it is, and use a copy of it that is not kept. sqlite3.Error as above."""
        before = self.engine
        self._use(copy_into_memory(self.settings.home / FILE_NAME))
        before.dispose()

    def go_back_to_file(self) -> None:
        """Use the home's catalog again; what the copy in memory knew alone is forgotten. CatalogError.

        Who reads the copy at this moment reads on: it is gone with its last reader.
        """
        self._use(open_catalog(self.settings.home))

    def _use(self, engine: Engine) -> None:
        root_ids = [root_id(path) for path in self.settings.roots]
        self.reader, self.sweeps = Reader(engine, root_ids), SweepReader(engine, root_ids)
        self.engine = engine

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def refresh(
        self,
        purpose: str = "shell",
        *,
        deep: bool = True,
        reread_seconds: float | None = REREAD_SECONDS,
        watch: Callable[[str, Progress], None] = lambda _root, _progress: None,
    ) -> IndexReport:
        """One pass over every root, now; counts are those of the whole catalog afterwards. `reread_seconds` as in
        `refresh_all`.
        """
        report, _ = refresh_all(
            self.engine, self.settings, purpose, deep=deep, reread_seconds=reread_seconds, watch=watch
        )
        totals = self.reader.overview(self.now())
        return replace(report, runs=totals.runs, checkpoints=totals.checkpoints)

    def root(self, root_id: str) -> Root:
        """A root by its id. NotFoundError for an unknown one."""
        for root in self.reader.roots():
            if root.id == root_id:
                return root
        raise NotFoundError(f"There is no root {to_text(root_id)!r}.")

    def find_run(self, text: str) -> Run:
        """A run named as people name it: relative to a root, or an absolute path inside one.

        NotFoundError for none, AmbiguousError where roots share the name.
        """
        found: list[Run] = []
        for root in self.reader.roots():
            name = relative(text, root.path)
            if name is None:
                continue
            try:
                found.append(self.reader.run(root.id, name, self.now()))
            except NotFoundError:
                continue
        if not found:
            why = why_no_run(self.engine, self.reader.roots(), text)
            hint = "Other roots: --root PATH, or WAYPOINT_ROOTS."
            raise NotFoundError(f"There is no run {to_text(text)!r} under {self._root_names()}. {why} {hint}")
        if len({self.absolute(run.root, run.path) for run in found}) == 1:  # roots inside each other: the inner one's
            return max(found, key=lambda run: len(self.root(run.root).path))
        if len(found) > 1:
            places = ", ".join(to_text(self.absolute(run.root, run.path)) for run in found)
            raise AmbiguousError(f"{to_text(text)!r} is a run in several roots: {places}. Give one of these paths.")
        return found[0]

    def _root_names(self) -> str:
        return ", ".join(to_text(root.path) for root in self.reader.roots()) or "no root"

    def absolute(self, root_id: str, path: str) -> str:
        """The absolute path of something in a root."""
        return posixpath.normpath(posixpath.join(self.root(root_id).path, path))

    def runs(self) -> tuple[Run, ...]:
        """Every run, by path."""
        return self.reader.runs(RunFilter(), self.now(), sort="path", descending=False, limit=None).items

    def choices(self, root_id: str, run: str) -> tuple[SeriesChoice, ...]:
        """Which checkpoint to resume from, for each series of a run."""
        root_path = self.root(root_id).path
        states = self.reader.states(root_id, run)
        members = self.members(root_id, run)
        wanted = wanted_prefixes(states, root_path)
        existing = prefixes(members)
        existing |= standing(LocalStore(root_path), wanted - existing)
        return choose(members, states, root_path, existing)

    def members(self, root_id: str, run: str) -> tuple[Checkpoint, ...]:
        """Every checkpoint of a run."""
        return self.reader.checkpoints(CheckpointFilter(root=root_id, run=run), limit=None).items

    def inspect(self, checkpoint: Checkpoint) -> tuple[Facts, tuple[Variable, ...]]:
        """Read a checkpoint's files now: its facts and its variables. FileNotFoundError when they went away; what is
        wrong with them stands in the facts.
        """
        store = LocalStore(self.root(checkpoint.root).path)
        name = checkpoint.path[len(checkpoint.folder) :].lstrip("/") if checkpoint.folder else checkpoint.path
        files = {file.name: file for file in checkpoint.files}
        unit = Unit(folder=checkpoint.folder, name=name, path=checkpoint.path, format=checkpoint.format, files=files)
        reading = read_unit(store, unit, BundleCache(), is_named=True)
        if reading is None:
            return checkpoint.facts, ()
        return reading.facts, reading.variables

    def propose(self, checkpoint: Checkpoint, mode: Mode | None = None, *, weights_only: bool = False) -> Proposal:
        """How training would go on from a checkpoint, with every warning; without a mode in the one that suits most.
        With `weights_only` a new training begins with its weights.
        """
        run = self.reader.run(checkpoint.root, checkpoint.run, self.now())
        members = self.members(checkpoint.root, checkpoint.run)
        folder, taken, has_state = Path(self.absolute(checkpoint.root, checkpoint.run)), list[str](), False
        with contextlib.suppress(OSError):
            taken = os.listdir(folder.parent)
        with contextlib.suppress(PlaceError):
            if (beat := self.heartbeat(checkpoint.root, checkpoint.run)) is not None and beat.is_fresh:
                run = replace(run, status="live", changed_at=None)  # however long ago it saved; None is just now
            has_state = has_state_beside(self.run_folder(checkpoint.root, checkpoint.run), checkpoint)
        known = {"is_writable": can_write(folder), "has_state": has_state, "weights_only": weights_only}
        return propose(checkpoint, members, run, self.now(), mode, taken=taken, **known)

    def resume(  # noqa: PLR0913 - all that is handed over has a name
        self,
        checkpoint: Checkpoint,
        proposal: Proposal,
        *,
        note: str,
        accepted: Sequence[str],
        overrides: Mapping[str, Scalar] | None = None,
        confirm: str = "",
        fork_name: str | None = None,
        watch: Callable[[int], None] = lambda _done: None,
        actor: str | None = None,
    ) -> tuple[Manifest, Path]:
        """Hand a checkpoint over in the proposal's mode; gives the manifest and where it lies, a fork's in the new run.

        `confirm` is the run's name, which the rewind of a live run needs; `fork_name` the new run's, as text; `watch`
        is told the bytes that are copied. A CoreError says why nothing was written.
        """
        handed: dict[str, Any] = {
            "actor": actor or self.settings.actor,
            "note": note,
            "accepted": accepted,
            "overrides": overrides,
            "now": self.now(),
        }
        place = self.run_folder(checkpoint.root, checkpoint.run)
        if proposal.mode is Mode.FORK:
            name = from_text(proposal.fork_name if fork_name is None else fork_name)
            return fork(place, checkpoint, proposal, name=name, watch=watch, **handed)
        inner = self.inner_runs(checkpoint.root, checkpoint.run)
        return write_manifest(place, checkpoint, proposal, confirm=confirm, inner=inner, **handed)

    def inner_runs(self, root_id: str, run: str) -> frozenset[str]:
        """The runs inside a run, relative to it."""
        before = "" if run == "." else f"{run}/"
        paths = (other.path for other in self.runs() if other.root == root_id and other.path != run)
        return frozenset(path.removeprefix(before) for path in paths if path.startswith(before))

    def manifests(self, root_id: str, run: str) -> tuple[ManifestEntry, ...]:
        """A run's manifests, newest first; read from disk now."""
        return read_manifests(self.run_folder(root_id, run)).entries

    def manifest_problems(self, root_id: str, run: str) -> tuple[Problem, ...]:
        """The manifests in place that cannot be read: `manifests` tells nothing of them, and no job starts."""
        found = read_manifests(self.run_folder(root_id, run))
        return tuple(problem for problem in found.problems if problem.path == MANIFEST)

    def receipts(self, root_id: str, run: str, manifest_id: str) -> tuple[ReceiptEntry, ...]:
        """What the starts that followed a manifest restored, newest first; read from disk now."""
        return read_receipts(self.run_folder(root_id, run), manifest_id)

    def unreadable_manifests(self) -> tuple[tuple[str, str, Problem], ...]:
        """What `manifest_problems` says of every run that has one in place, with its root and run."""
        found: list[tuple[str, str, Problem]] = []
        for run in self.runs():
            with contextlib.suppress(PlaceError):
                homes = self.run_folder(run.root, run.path).homes
                if any(os.path.lexists(home / MANIFEST) for home in homes):
                    found += [(run.root, run.path, problem) for problem in self.manifest_problems(run.root, run.path)]
        return tuple(found)

    def heartbeat(self, root_id: str, run: str) -> Heartbeat | None:
        """Whether a job lives in a run, by its lease and the disk's clock; read from disk now."""
        return self.run_folder(root_id, run).heartbeat()

    def all_manifests(self) -> tuple[tuple[str, str, ManifestEntry], ...]:
        """Every manifest with its root and run, newest first. A run whose folder went away has none."""
        found: list[tuple[str, str, ManifestEntry]] = []
        roots = {root.id: root for root in self.reader.roots()}
        for run in self.runs():
            with contextlib.suppress(PlaceError):
                place = RunFolder.of(roots[run.root], run.path, self.settings.decisions_dir)
                if any(may_hold_manifests(home) for home in place.homes):
                    found += [(run.root, run.path, entry) for entry in read_manifests(place).entries]
        return tuple(sorted(found, key=lambda item: item[2].manifest.id, reverse=True))

    def withdraw(self, root_id: str, run: str, manifest_id: str, actor: str | None = None) -> None:
        """Take a manifest back that is pending, or whose job lives no more; `reinstate` undoes it."""
        withdraw(self.run_folder(root_id, run), manifest_id, actor=actor or self.settings.actor, now=self.now())

    def reinstate(self, root_id: str, run: str, manifest_id: str, actor: str | None = None) -> None:
        """Undo a withdrawal."""
        reinstate(self.run_folder(root_id, run), manifest_id, actor=actor or self.settings.actor, now=self.now())

    def run_folder(self, root_id: str, run: str) -> RunFolder:
        """Where a run lies that is read (`acted_on`: is acted on). PlaceError where a link leads out of it."""
        return RunFolder.of(self.root(root_id), run, self.settings.decisions_dir)

    def acted_on(self, run: Run) -> RunFolder:
        """Where a run lies that is acted on, with that by which it is told to be live."""
        ages = Ages(live_window=self.settings.live_window, stale_after=self.settings.stale_after)
        alive_us, _ = turning_points(0, run.median_interval, ages)
        liveness = Liveness(live_window=alive_us / SECOND_US, inner=self.inner_runs(run.root, run.path))
        return replace(self.run_folder(run.root, run.path), liveness=liveness)


def relative(text: str, root_path: str) -> str | None:
    """What a person typed, as a run's path in this root; None for an absolute path elsewhere."""
    name = posixpath.normpath(from_text(text))
    if not posixpath.isabs(name):
        return name
    root = posixpath.normpath(root_path)
    if name == root:
        return "."
    return name[len(root) + 1 :] if name.startswith(root.rstrip("/") + "/") else None
