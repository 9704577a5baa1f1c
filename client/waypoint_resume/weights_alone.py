"""A training that began with the weights of another one alone: from what, and since when.

`.waypoint/weights_alone.json` says so. By it a job that is started again without a manifest goes on from its own saves
with everything, instead of taking the old weights a second time; and a copy of the source is kept, however late the
training saves over it.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.checkpoints import Found
from waypoint_resume.claim import Decision
from waypoint_resume.clock import disk_now, moment_text, seconds_of
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import read_record, unlink_quietly, write_record
from waypoint_resume.identity import IDENTITY_SPEC, identity_of
from waypoint_resume.manifest import FORMATS
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.rules import moment_value, one_of, place_value, text_value, version_value
from waypoint_resume.spec import problems_of

RECORD = "weights_alone.json"
SPEC: dict[str, Any] = {
    "version": version_value,
    "id": text_value,
    "source": place_value,
    "format": one_of(*FORMATS),
    "identity": IDENTITY_SPEC,
    "job": text_value,
    "begun_at": moment_value,
}


@dataclass(frozen=True)
class Taken:
    """The start of such a training: its id (the manifest's, if it had one), under which a copy of the source is kept;
    the source's path relative to the run, its format and the digest of its content; and the moment, as text.
    """

    id: str
    source: str
    format: str
    digest: str
    begun_at: str

    def own_saves(self, run: Path, found: Sequence[Found]) -> list[Found]:
        """Of the checkpoints of a run those that the training saved since."""
        begun = seconds_of(self.begun_at) or 0.0
        return [item for item in found if item.saved >= begun and not self.is_source(run, item.path)]

    def is_source(self, run: Path, path: str) -> bool:
        """Whether the checkpoint at a path relative to the run is the source, byte for byte."""
        with contextlib.suppress(OSError):
            return bool(identity_of(run, path).digest == self.digest)
        return False


def taken_weights(decision: Decision) -> Taken | None:
    """How the training of this run began, if with weights alone. ResumeError for a record that
    cannot be understood: without it nobody knows whose saves lie in the run.
    """
    path = _place(decision)
    found = read_record(path)
    if found is None:
        return None
    if problems := list(problems_of(found, SPEC)):
        raise ResumeError(
            "\n  ".join([f"{path} cannot be understood; nothing was loaded:", *problems])
            + "\nMove it away if the weights are to be taken anew."
        )
    return Taken(
        found["id"], from_text(found["source"]), found["format"], found["identity"]["digest"], found["begun_at"]
    )


def note_taken(decision: Decision, source: Found) -> Taken:
    """Say, before anything else is changed, with whose weights this training begins. OSError."""
    identity = identity_of(decision.run, source.path)
    own = uuid.uuid4().hex if decision.manifest is None else str(decision.manifest["id"])
    begun = moment_text(disk_now(hidden_folder(decision.home)))
    record = {
        "version": 1,
        "id": own,
        "source": to_text(source.path),
        "format": source.format,
        "identity": identity.record(),
        "job": decision.job,
        "begun_at": begun,
    }
    write_record(_place(decision), record)
    return Taken(own, source.path, source.format, identity.digest, begun)


def forget_taken(decision: Decision) -> None:
    """A fresh start begins another training."""
    unlink_quietly(_place(decision))


def _place(decision: Decision) -> Path:
    return decision.home / HIDDEN / RECORD
