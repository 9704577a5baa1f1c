"""Mending one run: what pages and the shell call. It looks at the disk whenever it is asked."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.base.errors import CoreError, NotFoundError
from core.base.records import Checkpoint, Root, Run, StateFile
from core.formats.state_file import NAME, is_foreign
from core.mend import records
from core.mend.apply import apply, undo
from core.mend.on_disk import on_disk, parse, read
from core.mend.propose import Proposal, propose
from core.mend.records import Mend, MendState
from core.runfolder.places import relative_to_run
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import is_nameable, prefixes, wanted_prefixes
from core.runs.walk import OWN_FILES
from core.stores.local import LocalStore
from waypoint_resume.heartbeat import ended_ns, is_leased
from waypoint_resume.names import from_text, join, to_text

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A state file that is broken and for which nothing can be proposed, with the reason."""

    state: str
    error: CoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class MendDesk:
    """One run as the catalog knows it after a fresh look: its checkpoints and its state files (only their paths count,
    their content is read again). `live_window` is in seconds.
    """

    root: Root
    run: Run
    members: tuple[Checkpoint, ...]
    states: tuple[StateFile, ...]
    live_window: float
    decisions_dir: Path | None = None

    def proposals(self) -> tuple[Proposal | Refusal, ...]:
        """What can be done for each broken state file, by path."""
        return tuple(self._proposals())

    def _proposals(self) -> Iterator[Proposal | Refusal]:
        folders = {item.folder for item in self.members if is_nameable(item)}
        for path in sorted(
            state.path for state in self.states if not is_foreign(state) or posixpath.dirname(state.path) in folders
        ):
            try:
                found = self._propose(path, None)
            except CoreError as error:
                yield Refusal(state=path, error=error)
            else:
                if found is not None:
                    yield found

    def point_at(self, picked: Checkpoint) -> Proposal | None:
        """The proposal that makes a checkpoint its folder's latest; None where it is that already.

        CoreError for one that a state file cannot name, NotRestorableError for one that is not whole.
        """
        return self._propose(join(posixpath.dirname(picked.path), NAME), picked)

    def apply(self, proposal: Proposal, *, actor: str, now: datetime, confirm: str = "") -> Mend:
        """Write a proposal; see `core.mend.apply`. `confirm` is the run's path, which a live run needs."""
        is_live = self.is_live(proposal.state)
        return apply(self.site, proposal, actor=actor, now=now, is_live=is_live, confirm=confirm)

    def undo(self, mend_id: str, *, actor: str, now: datetime, confirm: str = "") -> Mend:
        """Undo a mend; see `core.mend.apply`."""
        for mend in self.history():
            if mend.record.id == mend_id:
                path = from_text(mend.record.state)
                is_live = self.is_live(path if self.run.path == "." else join(self.run.path, path))
                break
        else:
            raise NotFoundError(f"Run {to_text(self.run.path)} has no mend {to_text(mend_id)!r}.")
        return undo(self.site, mend_id, actor=actor, now=now, is_live=is_live, confirm=confirm)

    def history(self) -> tuple[Mend, ...]:
        """The run's mends, newest first."""
        return records.history(self.site)

    def newest(self) -> Mend:
        """The newest mend that is in effect. NotFoundError where there is none."""
        for mend in self.history():
            if mend.state is MendState.IN_EFFECT:
                return mend
        raise NotFoundError(f"No mend of {to_text(self.run.path)} is in effect: there is nothing to undo.")

    @property
    def site(self) -> RunFolder:
        """Where the run lies now. PlaceError where a link leads out of it."""
        return RunFolder.of(self.root, self.run.path, self.decisions_dir)

    def is_live(self, state: str) -> bool:
        """Whether the run was live at the last look, a job holds its lease, or something was written beside this state
        file since.
        """
        if self.run.status == "live":
            return True
        store, site = LocalStore(self.root.path), self.site
        homes = (site.folder, *([] if site.decisions is None else [site.decisions]))
        now_ns = store.now_ns()
        if any(is_leased(home, now_ns) for home in homes):
            return True
        files = store.members(posixpath.dirname(state)).files
        newest = max((file.mtime_ns for file in files if file.name not in OWN_FILES), default=0)
        window = max(self.live_window, 3 * (self.run.median_interval or 0))
        return newest > max(now_ns - int(window * _SECOND_NS), ended_ns(homes, lambda: now_ns) or 0)

    def _propose(self, path: str, picked: Checkpoint | None) -> Proposal | None:
        data = read(self.site.state_file(relative_to_run(path, self.run.path)))
        wanted = wanted_prefixes((parse(path, data),), self.root.path) | prefixes(self.members)
        return propose(path, data, self.root.path, self.members, on_disk(self.root.path, wanted), picked)
