"""The resume manifest, version 1: what a person hands to a training job. Frozen models, and a parser that tells all.

docs/resume.md says what the fields mean, docs/resume_manifest.schema.json is made by `json_schema`. A manifest is
untrusted text: a path in it must stay below the run, an unknown version or field is refused by name, and true is
not 1. `validate` returns every problem, `parse` raises once with all of them.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from core.decisions import ids, values
from core.model import Contents, Format, Problem
from core.resume.errors import ManifestError
from core.resume.explain import explain
from waypoint_resume.clock import moment_text

VERSION = 1
LIMIT = 16 * 1024 * 1024  # bytes of a manifest: a sharded checkpoint of 10,000 files needs about 2 MB
SCHEMA_ID = "resume_manifest.schema.json"

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
# An Int64: what TensorFlow's counters hold.
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Id = Annotated[str, StringConstraints(pattern=ids.PATTERN)]
Version = Annotated[int, AfterValidator(values.only_version(VERSION)), WithJsonSchema({"const": VERSION})]
Moment = Annotated[
    datetime,
    BeforeValidator(values.utc_text),
    PlainSerializer(moment_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": values.UTC_PATTERN}),
]
Path = Annotated[
    str,
    AfterValidator(values.relative_path),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": values.MAX_PATH, "pattern": values.PATH_PATTERN}),
]
# A path, or "." for the folder itself: a run that is its root, a checkpoint that is its run's folder.
Place = Annotated[
    str,
    AfterValidator(values.place),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": values.MAX_PATH, "pattern": values.PLACE_PATTERN}),
]
Scalar = Annotated[
    str | int | float | bool | None,
    PlainValidator(values.scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]


class RestoreApi(StrEnum):
    """The call that restores a checkpoint of some format; docs/resume.md says which for what."""

    TF_CHECKPOINT_RESTORE = "tf.train.Checkpoint.restore"
    TF_CHECKPOINT_READ = "tf.train.Checkpoint.read"
    TF_V1_SAVER = "tf.compat.v1.train.Saver.restore"
    KERAS_LOAD_MODEL = "keras.saving.load_model"
    KERAS_LOAD_WEIGHTS = "keras.Model.load_weights"
    TF_KERAS_LOAD_MODEL = "tf_keras.models.load_model"
    TF_KERAS_LOAD_WEIGHTS = "tf_keras.Model.load_weights"
    ORBAX_RESTORE = "orbax.checkpoint.PyTreeCheckpointer.restore"


class OptimizerOutcome(StrEnum):
    """What becomes of the optimizer's state; None in a manifest: it depends on what the job does."""

    RESTORED = "restored"
    NOT_IN_FILE = "not in the file"
    REFUSED = "refused"


class MetricMode(StrEnum):
    """Which values of a metric are better."""

    MIN = "min"
    MAX = "max"


class Mode(StrEnum):
    """How the job goes on: in the same series, back to an older step of it, or as a new run."""

    CONTINUE = "continue"
    REWIND = "rewind"
    FORK = "fork"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ManifestFile(_Model):
    """One file of the checkpoint; `sha256` is null for shards and for files above 4 MiB."""

    path: Path
    bytes: Count
    sha256: Sha256 | None


def _each_once(files: tuple[ManifestFile, ...]) -> tuple[ManifestFile, ...]:
    seen: set[str] = set()
    for file in files:
        if file.path in seen:
            raise ValueError(f"{file.path!r} stands there twice; allowed: each file once")
        seen.add(file.path)
    if not files:
        raise ValueError("no file; allowed: every file of the checkpoint")
    return files


class ManifestCheckpoint(_Model):
    """What is to be restored; paths are relative to the run."""

    path: Place
    format: Format
    contents: Contents
    step: Number | None
    epoch: Number | None
    saved_at: Moment
    files: Annotated[tuple[ManifestFile, ...], AfterValidator(_each_once), Field(json_schema_extra={"minItems": 1})]
    variables_fingerprint: Name | None


class BestMetric(_Model):
    """The best value so far of what the job watches."""

    name: Name
    value: Finite
    mode: MetricMode


class Restore(_Model):
    """How to restore, and from where to count; null is what cannot be known from the files."""

    api: RestoreApi
    initial_step: Number | None
    initial_epoch: Count | None
    optimizer: OptimizerOutcome | None
    best_metric: BestMetric | None


class Check(_Model):
    """One thing that was looked at before the manifest was written."""

    name: Name
    ok: bool
    detail: Text


class Manifest(_Model):
    """A resume manifest of version 1."""

    version: Version
    id: Id
    created_at: Moment
    created_by: Name
    note: Text
    run: Place
    checkpoint: ManifestCheckpoint
    restore: Restore
    mode: Mode
    overrides: dict[Name, Scalar]
    checks: tuple[Check, ...]
    warnings_accepted: tuple[Name, ...]


def validate(text: str | bytes) -> tuple[Problem, ...]:
    """Every problem of a manifest's text: `path` is the JSON path, '' for the document as a whole."""
    return _read(text)[1]


def parse(text: str | bytes) -> Manifest:
    """A manifest from its text. ManifestError holds every problem at once."""
    manifest, problems = _read(text)
    if manifest is None:
        raise ManifestError(problems)
    return manifest


def to_json(manifest: Manifest) -> str:
    """The text of a manifest, as it is written to disk."""
    return json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> str:
    """The JSON Schema of version 1, as docs/resume_manifest.schema.json holds it."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    body: dict[str, Any] = Manifest.model_json_schema()
    return json.dumps(head | body, indent=2, ensure_ascii=False) + "\n"


def _read(text: str | bytes) -> tuple[Manifest | None, tuple[Problem, ...]]:
    """A manifest, or every reason why there is none."""
    document, problems = values.load_json(text, LIMIT)
    if document is None:
        return None, problems
    version = document.get("version")
    if type(version) is int and version != VERSION:
        # What else such a document may hold is for its own version to say.
        message = f"{version} is a version that this Waypoint does not know; allowed: {VERSION}"
        return None, (*problems, Problem(path="version", problem=message))
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        return None, (*problems, *explain(error, Manifest))
    return (None if problems else manifest), problems
