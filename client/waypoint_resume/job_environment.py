"""What a job of a run would be told, for a shell or a scheduler's script: nothing is claimed, nothing written."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from waypoint_resume.errors import ResumeError
from waypoint_resume.governing import governing
from waypoint_resume.handed_over import find_handed
from waypoint_resume.manifest import takes_weights_only
from waypoint_resume.names import from_text, to_text

NAMES = ("RUN", "STATE", "MANIFEST", "MODE", "CHECKPOINT", "FORMAT", "API", "STEP", "EPOCH", "JOB", "WEIGHTS_ONLY")
_PREFIX = "RESUME_"
Value = Optional[Union[str, int]]


@dataclass(frozen=True)
class JobEnvironment:
    """The values by the names in NAMES, None where not known; and why the manifest cannot be read, if it cannot.

    STATE is `pending`, `claimed`, `none` or `unreadable`. RUN and CHECKPOINT are absolute, with the bytes of the disk.
    """

    values: Mapping[str, Value]
    problem: str | None = None

    def export_lines(self) -> bytes:
        """Lines of `export RESUME_…` for `eval` in a shell; what is not known is empty."""
        values = {name: "" if value is None else str(value) for name, value in self.values.items()}
        return os.fsencode("".join(f"export {_PREFIX}{name}={shlex.quote(text)}\n" for name, text in values.items()))

    def as_json(self) -> dict[str, Value]:
        """The values for a JSON document: names in small letters, paths as text."""
        return {name.lower(): to_text(item) if isinstance(item, str) else item for name, item in self.values.items()}


def job_environment(run: Path, homes: Sequence[Path]) -> JobEnvironment:
    """What a job of a run would be told by the manifest in one of the homes (`decision_homes`)."""
    values: dict[str, Value] = {**dict.fromkeys(NAMES), "RUN": str(run), "STATE": "none"}
    try:
        manifest, claim = governing(homes)
        if manifest is None and (handed := find_handed(run)) is not None:
            manifest, claim = handed.manifest, handed.claim
    except ResumeError as error:  # no job starts from it, nor without it
        return JobEnvironment({**values, "STATE": "unreadable"}, str(error))
    if manifest is None:
        return JobEnvironment(values)
    checkpoint, restore = manifest["checkpoint"], manifest["restore"]
    values.update(
        STATE="pending" if claim is None else "claimed",
        MANIFEST=manifest["id"],
        MODE=manifest["mode"],
        CHECKPOINT=os.path.normpath(run / from_text(checkpoint["path"]) / from_text(checkpoint["inner"])),
        FORMAT=checkpoint["format"],
        API=restore["api"],
        STEP=restore["initial_step"],
        EPOCH=restore["initial_epoch"],
        WEIGHTS_ONLY=1 if takes_weights_only(manifest) else None,
        JOB=None if claim is None else str(claim.get("job") or "") or None,
    )
    return JobEnvironment(values)
