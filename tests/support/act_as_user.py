"""One of two users of a group, for tests/client/test_two_users.py: a process that does in a run what it is told.

Arguments: a home of its own, the number of the user, that of the group. Root starts it, and it becomes the user when
all is imported, for Python may lie where only root can read it. Each line of stdin is a JSON array: the root, the
umask, an action's name, and what the action wants. The answer is a line of JSON: what it gave, or the error.
"""

import ctypes
import fcntl
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base.records import Checkpoint, Run
from core.config.settings import Settings
from core.resume.manifest import Mode
from core.retention.policies import KeepLatest, Policy
from core.services import mending, pins, quarantine, retention
from core.services.manifests import run_manifests, withdraw_manifest
from core.services.resume import propose, resume_from, run_heartbeat
from core.services.workspace import Workspace
from waypoint_resume.claim import Decision
from waypoint_resume.decision import decide
from waypoint_resume.rewind import set_aside

NAME = "run"
POLICY = Policy(rules=(KeepLatest(1),))


class User:
    """What a person or a job of this user can do in the run; paths are relative to it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.workspace = Workspace.open(Settings(roots=(str(root),), home=home, actor=f"user {os.getuid()}"))
        self.decision: Decision | None = None

    def _run(self) -> Run:
        self.workspace.refresh()
        return self.workspace.find_run(NAME)

    def _checkpoint(self, path: str) -> Checkpoint:
        run = self._run()
        (found,) = [one for one in self.workspace.members(run.root, run.path) if one.path == f"{NAME}/{path}"]
        return found

    def pin(self, path: str) -> object:
        """Pin a checkpoint; gives who did."""
        return pins.pin(self.workspace, self._checkpoint(path)).by

    def unpin(self, path: str) -> object:
        """Take the pin off; gives whose it was."""
        return pins.unpin(self.workspace, self._checkpoint(path)).by

    def hand_over(self, path: str, mode: str) -> object:
        """Write a manifest; gives its mode and run."""
        checkpoint = self._checkpoint(path)
        proposal = propose(self.workspace, checkpoint, Mode(mode))
        accepted = [caution.id for caution in proposal.warnings]
        manifest, place = resume_from(self.workspace, checkpoint, proposal, note="", accepted=accepted)
        return [manifest.mode.value, place.parent.name]

    def start(self, run: str = NAME) -> object:
        """What a job does before it loads: lease, claim, rewind; gives the paths that were set aside."""
        self.decision = decide(self.root / run)
        if self.decision.manifest is not None:
            self.decision.note(checkpoint=self.decision.manifest["checkpoint"]["path"])
        return set_aside(self.decision)

    def finish(self) -> object:
        """What a job does at its end."""
        assert self.decision is not None
        assert self.decision.lease is not None
        self.decision.note(finished_at="2026-01-31T09:30:00Z")
        self.decision.lease.release()
        return None

    def look(self) -> object:
        """What the Resume page shows: the manifest's state, and whether a job lives."""
        run = self._run()
        entries, beat = (
            run_manifests(self.workspace, run.root, run.path),
            run_heartbeat(self.workspace, run.root, run.path),
        )
        return [entry.state.value for entry in entries[:1]] + [beat is not None and beat.is_fresh]

    def withdraw(self) -> object:
        """Take the manifest back."""
        run = self._run()
        withdraw_manifest(
            self.workspace, run.root, run.path, run_manifests(self.workspace, run.root, run.path)[0].manifest.id
        )
        return None

    def point_at(self, path: str) -> object:
        """Let the state file name another latest; gives the mend's id."""
        checkpoint = self._checkpoint(path)
        mender = mending.mender_of(self.workspace, self._run())
        proposal = mender.point_at(checkpoint)
        assert proposal is not None
        return mender.apply(proposal, actor="a", now=self.workspace.now()).record.id

    def undo_mend(self) -> object:
        """Take the newest mend back."""
        mender = mending.mender_of(self.workspace, self._run())
        return mender.undo(mender.newest().record.id, actor="a", now=self.workspace.now()).state.value

    def quarantine(self) -> object:
        """Move what is not the latest; gives the paths."""
        run = self._run()
        (planned,) = retention.plan(self.workspace, [run], POLICY).runs
        done = quarantine.execute(self.workspace, run, planned, policy=POLICY)
        reasons = [reason for item in done.left_out for reason in item.reasons]
        return [item.path for item in done.journal.items] if done.journal else reasons

    def undo(self) -> object:
        """Bring the newest batch back; gives the number of files and what stays away."""
        run = self._run()
        batch = quarantine.run_batches(self.workspace, run).batches[0].id
        returned = quarantine.undo_batch(self.workspace, run, batch)
        return [returned.files, [problem.problem for problem in returned.problems]]

    def purge(self) -> object:
        """Delete the newest batch."""
        run = self._run()
        batch = quarantine.run_batches(self.workspace, run).batches[0].id
        return quarantine.purge_batch(self.workspace, run, batch, confirm=batch).files


def become(uid: int, group: int) -> None:
    """Be another user from here on, whose own group has the same number, and that is in `group` too."""
    os.setgroups([group])
    os.setgid(uid)
    os.setuid(uid)
    # What was root once is hidden in /proc, as no job is: PR_SET_DUMPABLE.
    assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0


def main() -> None:
    """See above."""
    home, uid, group = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    assert fcntl.LOCK_EX  # imported by now, as the client does late
    become(uid, group)
    user: User | None = None
    for line in sys.stdin:
        root, umask, name, *wanted = json.loads(line)
        os.umask(umask)
        if user is None or str(user.root) != root:
            user = User(Path(root), home)
        act: Callable[..., Any] = getattr(user, name)
        try:
            answer = act(*wanted)
        except Exception as error:  # noqa: BLE001 - the test says which it expects
            answer = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
