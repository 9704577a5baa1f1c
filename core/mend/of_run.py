"""Mending one run: what pages and the shell call. It looks at the disk whenever it is asked."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from core.base.errors import CoreError, NotFoundError
from core.base.records import Checkpoint, Run, StateFile
from core.formats.state_file import NAME, is_foreign
from core.mend import records
from core.mend.apply import apply, undo
from core.mend.on_disk import on_disk, parse, read
from core.mend.propose import MendProposal, propose
from core.mend.records import Mend, MendState
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import is_nameable, prefixes, wanted_prefixes
from waypoint_resume.names import join, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A state file that is broken and for which nothing can be proposed, with the reason."""

    state: str
    error: CoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Mender:
    """Mends the state files of one run, known as the catalog has it after a fresh look: its checkpoints and its state
    files (only their paths count, their content is read again).
    """

    run_folder: RunFolder
    run: Run
    members: tuple[Checkpoint, ...]
    states: tuple[StateFile, ...]

    def proposals(self) -> tuple[MendProposal | Refusal, ...]:
        """What can be done for each broken state file, by path."""
        return tuple(self._proposals())

    def _proposals(self) -> Iterator[MendProposal | Refusal]:
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

    def point_at(self, picked: Checkpoint) -> MendProposal | None:
        """The proposal that makes a checkpoint its folder's latest; None where it is that already.

        CoreError for one that a state file cannot name, NotRestorableError for one that is not whole.
        """
        return self._propose(join(posixpath.dirname(picked.path), NAME), picked)

    def apply(self, proposal: MendProposal, *, actor: str, now: datetime, confirm: str = "") -> Mend:
        """Write a proposal; see `core.mend.apply`. `confirm` is the run's path, which a live run needs."""
        return apply(self.run_folder, proposal, actor=actor, now=now, is_live=self.is_live(), confirm=confirm)

    def undo(self, mend_id: str, *, actor: str, now: datetime, confirm: str = "") -> Mend:
        """Undo a mend; see `core.mend.apply`."""
        return undo(self.run_folder, mend_id, actor=actor, now=now, is_live=self.is_live(), confirm=confirm)

    def history(self) -> tuple[Mend, ...]:
        """The run's mends, newest first."""
        return records.history(self.run_folder)

    def newest(self) -> Mend:
        """The newest mend that is in effect. NotFoundError where there is none."""
        for mend in self.history():
            if mend.state is MendState.IN_EFFECT:
                return mend
        raise NotFoundError(f"No mend of {to_text(self.run_folder.run)} is in effect: there is nothing to undo.")

    def is_live(self) -> bool:
        """Whether the run was live at the last look, or is by the disk now."""
        return self.run.status == "live" or self.run_folder.is_live()

    def _propose(self, path: str, picked: Checkpoint | None) -> MendProposal | None:
        root_path, data = self.run_folder.root_path, read(self.run_folder.state_file(self.run_folder.within(path)))
        wanted = wanted_prefixes((parse(path, data),), root_path) | prefixes(self.members)
        return propose(path, data, root_path, self.members, on_disk(root_path, wanted), picked)
