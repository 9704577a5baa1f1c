"""A rewind carried out: what is newer than the pick is set aside, undoable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from waypoint_resume.checkpoint_files import files_of
from waypoint_resume.checkpoints import find_checkpoints
from waypoint_resume.claim import Decision
from waypoint_resume.clock import disk_now, moment_text
from waypoint_resume.errors import ResumeError, RunIsBusy, os_errors_as_resume_errors
from waypoint_resume.files import LONG, read_record
from waypoint_resume.handed_over import find_handed, rebased_path
from waypoint_resume.journal import PLAN_SPEC, REWOUND
from waypoint_resume.lock import decisions_lock
from waypoint_resume.names import folders_above, from_text, to_text
from waypoint_resume.places import HIDDEN, decision_homes
from waypoint_resume.rules import one_of
from waypoint_resume.setting_aside import Reason, SettingAside
from waypoint_resume.spec import problems_of


class Rewind(SettingAside):
    """What a manifest's plan names, and what was saved after that plan."""

    def __init__(self, decision: Decision) -> None:
        assert decision.manifest is not None
        assert decision.claim is not None
        manifest = self.manifest = decision.manifest
        picked = manifest["checkpoint"]
        reason = Reason(
            id=manifest["id"],
            by=manifest["created_by"],
            note=manifest["note"],
            job=decision.claim["job"],
            pick=from_text(picked["path"]),
            format=picked["format"],
            files=frozenset(from_text(file["path"]) for file in picked["files"]),
        )
        super().__init__(decision.run, reason)
        self.base = decision.base or decision.run

    def items(self) -> Iterator[dict[str, Any]]:
        """What the plan names and is still there, and what was saved after the plan: this job has saved nothing yet."""
        plan = self._plan()
        planned = set()
        for item in plan["items"]:
            place, files = self._here(item["path"]), [self._here(name) for name in item["files"]]
            if place is None or None in files:
                continue  # of another job's folder, beside the one that this job names
            own = [from_text(name) for name in files if name is not None]
            planned.update(own)
            yield self.item_of(item["kind"], place, item["format"], item["reason"], own)
        stays = {from_text(name) for path in plan["stays"] if (name := self._here(path))}
        inner = {from_text(name) for path in plan["inner"] if (name := self._here(path))}
        for found in find_checkpoints(self.run):
            if found.path in stays or any(folder in inner for folder in (*folders_above(found.path), found.path)):
                continue
            if not (self.run / found.path).is_relative_to(self.base):
                continue  # the plan knew nothing of it
            newer = [name for name in files_of(self.run, found) if name not in planned]
            newest_ns = max((os.lstat(self.run / name).st_mtime_ns for name in newer), default=0)
            if plan["since_ns"] < newest_ns and self.reason.files.isdisjoint(newer):
                reason = f"saved after {self.manifest['checkpoint']['path']} was picked"
                yield self.item_of("checkpoint", to_text(found.path), found.format, reason, newer)

    def _here(self, path: str) -> str | None:
        return rebased_path(path, self.base, self.run)

    def _plan(self) -> dict[str, Any]:
        """What the dashboard said would be set aside; ResumeError where it is missing or broken."""
        name = Path(HIDDEN, REWOUND, f"{self.manifest['id']}.plan.json")
        for path in (home / name for home in decision_homes(self.base)):
            plan = read_record(path, LONG)
            if plan is None:
                continue
            spec = {**PLAN_SPEC, "manifest": one_of(self.manifest["id"])}
            if problems := sorted(problems_of(plan, spec)):
                raise ResumeError("\n  ".join([f"{path} cannot be followed; nothing was moved or loaded:", *problems]))
            return plan
        raise ResumeError(
            f"The manifest {self.manifest['id']} rewinds, but {self.base / name}, which says what is to be set aside, "
            "is not there. Nothing was moved or loaded. Hand the checkpoint over again."
        )


def follow_rewind(manager: Any) -> None:  # noqa: ANN401 - TensorFlow has no types
    """Let a CheckpointManager that was made before the rewind forget what is set aside: it read the former state file,
    and its next save would list and rotate what is gone.
    """
    import tensorflow as tf

    fresh = tf.train.get_checkpoint_state(manager.directory)
    manager._latest_checkpoint = fresh.model_checkpoint_path if fresh else None  # noqa: SLF001
    listed = set(fresh.all_model_checkpoint_paths) if fresh else set()
    for name in [name for name in manager._maybe_delete if name not in listed]:  # noqa: SLF001
        del manager._maybe_delete[name]  # noqa: SLF001


def set_aside(decision: Decision) -> tuple[str, ...]:
    """Carry out a rewind, once for each manifest: what is newer than the pick moves out of the way, undoable.

    Returns the paths that moved, relative to the run. Imports no TensorFlow. ResumeError: nothing was moved.
    """
    if decision.claim is None or decision.manifest is None or decision.manifest["mode"] != "rewind":
        return ()
    if decision.claim.get("rewound_at"):
        return ()
    with os_errors_as_resume_errors(decision.run), decisions_lock(decision.home):
        if (read_record(decision.claim_path()) or {}).get("uuid") != decision.claim["uuid"]:
            raise RunIsBusy(f"Another job took the manifest {decision.manifest['id']} over: nothing was moved.")
        standing = find_handed(decision.run)
        if standing is None or standing.manifest["id"] != decision.manifest["id"]:
            raise ResumeError(f"The manifest {decision.manifest['id']} was replaced meanwhile: start the job again.")
        journal = Rewind(decision).carry_out()
    decision.batch = decision.manifest["id"]
    decision.note(rewound_at=moment_text(disk_now(decision.home / HIDDEN)))
    return tuple(item["path"] for item in journal["items"])
