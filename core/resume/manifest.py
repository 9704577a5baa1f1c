"""The resume manifest, version 1: what a person hands to a training job. Frozen records of what
`waypoint_resume.manifest` allows, which holds every rule, for the job reads by the same.

docs/resume.md says what the fields mean, docs/resume_manifest.schema.json is made by `json_schema`. `parse` raises
once, with every problem.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from core.base.direction import Direction
from core.base.facts import Contents, Format
from core.base.files import Problem
from core.formats.spec import RestoreApi
from core.resume.errors import ManifestError
from waypoint_resume import spec
from waypoint_resume.clock import moment_of, moment_text
from waypoint_resume.manifest import MANIFEST_SPEC, path_of_checkpoint, read_manifest

SCHEMA_ID = "resume_manifest.schema.json"

Moment = Annotated[datetime, BeforeValidator(moment_of), PlainSerializer(moment_text, return_type=str)]
Scalar = str | int | float | bool | None


class OptimizerOutcome(StrEnum):
    """What becomes of the optimizer's state; None in a manifest: it depends on what the job does."""

    RESTORED = "restored"
    NOT_IN_FILE = "not in the file"
    REFUSED = "refused"
    LEFT_OUT = "left out"  # with weights alone


class Mode(StrEnum):
    """How the job goes on: in the same series, back to an older step of it, or as a new run."""

    CONTINUE = "continue"
    REWIND = "rewind"
    FORK = "fork"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ManifestFile(_Model):
    """One file of the checkpoint; `sha256` is null for shards and for files above 4 MiB."""

    path: str
    bytes: int
    sha256: str | None


class ManifestCheckpoint(_Model):
    """What is to be restored; paths are relative to the run."""

    path: str
    format: Format
    contents: Contents
    step: int | None
    epoch: int | None
    saved_at: Moment
    files: tuple[ManifestFile, ...]
    variables_fingerprint: str | None


class BestMetric(_Model):
    """The best value so far of what the job watches."""

    name: str
    value: float
    mode: Direction


class Restore(_Model):
    """How to restore, and from where to count; null is what cannot be known from the files. With `weights_only` the
    weights alone are restored, and the training counts anew.
    `items` are the paths in the run of what lies in the checkpoint and is restored by itself, as the trees in an Orbax
    step.
    """

    api: RestoreApi
    initial_step: int | None
    initial_epoch: int | None
    optimizer: OptimizerOutcome | None
    best_metric: BestMetric | None
    weights_only: bool | None = None  # written where it is true alone: jobs of before know no such field, and refuse it
    items: tuple[str, ...] | None = None


class Check(_Model):
    """One thing that was looked at before the manifest was written."""

    name: str
    ok: bool
    detail: str


class Manifest(_Model):
    """A resume manifest of version 1."""

    version: int
    id: str
    created_at: Moment
    created_by: str
    note: str
    run: str
    checkpoint: ManifestCheckpoint
    restore: Restore
    mode: Mode
    overrides: dict[str, Scalar]
    checks: tuple[Check, ...]
    warnings_accepted: tuple[str, ...]

    @property
    def whole_path(self) -> str:
        """The checkpoint's path in the run: `checkpoint.path`, or where that is an item, the folder that holds it."""
        return path_of_checkpoint(self.checkpoint.path, self.restore.items)


def parse(text: str | bytes) -> Manifest:
    """A manifest from its text. ManifestError holds every problem at once."""
    document, problems = read_manifest(text)
    if problems:
        raise ManifestError([Problem(path=path, problem=problem) for path, problem in problems])
    return Manifest.model_validate(document)


def to_json(manifest: Manifest) -> str:
    """The text of a manifest, as it is written to disk."""
    document = manifest.model_dump(mode="json")
    if not document["restore"]["weights_only"]:
        del document["restore"]["weights_only"]
    if manifest.restore.items is None:
        del document["restore"]["items"]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def json_schema() -> str:
    """The JSON Schema of version 1, as docs/resume_manifest.schema.json holds it."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "title": "Manifest"}
    return json.dumps(head | spec.json_schema(MANIFEST_SPEC), indent=2, ensure_ascii=False) + "\n"
