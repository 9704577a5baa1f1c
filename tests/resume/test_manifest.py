"""The manifest's document: what is taken, what is refused, by which name, and that all of it is told at once."""

import copy
import json
import re
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from core.acts.journal import Journal, JournalKind, PurgedBatch, Stage
from core.base.direction import Direction
from core.base.errors import CoreError
from core.base.facts import Contents, Format
from core.formats.registry import spec_of
from core.formats.spec import RestoreApi
from core.resume.cautions import TEXTS
from core.resume.errors import ManifestError
from core.resume.manifest import (
    Manifest,
    Mode,
    OptimizerOutcome,
    json_schema,
    parse,
    to_json,
)
from core.resume.rewind import RewindPlan
from core.retention.planned import ItemKind
from waypoint_resume import ids
from waypoint_resume import journal as journal_rules
from waypoint_resume import manifest as shared
from waypoint_resume.ids import uuid7
from waypoint_resume.names import from_text, to_text
from waypoint_resume.rules import PATH_PATTERN, relative_path
from waypoint_resume.spec import json_schema as json_schema_of

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = jsonschema.Draft202012Validator(json.loads(json_schema()))

GOOD: dict[str, Any] = {
    "version": 1,
    "id": "0190163d-8694-739b-aea5-966c26f8ad91",
    "created_at": "2026-01-31T09:30:00Z",
    "created_by": "ada",
    "note": "the loss was lowest here",
    "run": "vision/resnet",
    "checkpoint": {
        "path": "ckpts/ckpt-7",
        "format": "tf-bundle",
        "contents": "weights_and_optimizer",
        "step": 1100,
        "epoch": None,
        "saved_at": "2026-01-30T22:00:00.250000Z",
        "files": [
            {"path": "ckpts/ckpt-7.index", "bytes": 900, "sha256": "ab" * 32},
            {"path": "ckpts/ckpt-7.data-00000-of-00001", "bytes": 70_000_000, "sha256": None},
        ],
        "variables_fingerprint": "9f86d081884c",
    },
    "restore": {
        "api": "tf.train.Checkpoint.restore",
        "initial_step": 1100,
        "initial_epoch": None,
        "optimizer": "restored",
        "best_metric": {"name": "val_loss", "value": 1, "mode": "min"},
    },
    "mode": "continue",
    "overrides": {"learning_rate": 0.001, "shuffle": True, "layers": 3, "data": "b", "seed": None},
    "checks": [{"name": "restorable", "ok": True, "detail": "2 files"}],
    "warnings_accepted": ["not-in-the-file"],
}


def changed(*path: str | int, value: object) -> str:
    """GOOD's text with one value set."""
    document = copy.deepcopy(GOOD)
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(document)


def problems(text: str | bytes) -> list[tuple[str, str]]:
    """What `parse` says, as pairs."""
    try:
        parse(text)
    except ManifestError as error:
        return [(problem.path, problem.problem) for problem in error.problems]
    return []


def test_a_good_manifest_is_read_and_written_back() -> None:
    manifest = parse(json.dumps(GOOD))
    assert manifest.checkpoint.files[1].sha256 is None
    assert manifest.overrides == GOOD["overrides"]
    assert manifest.restore.api is RestoreApi.TF_CHECKPOINT_RESTORE
    assert json.loads(to_json(manifest)) == GOOD
    assert parse(to_json(manifest)) == manifest
    assert parse(json.dumps(GOOD).encode()) == manifest


def test_a_manifest_cannot_be_changed() -> None:
    manifest = parse(json.dumps(GOOD))
    with pytest.raises(ValueError, match="frozen"):
        manifest.note = "other"


@pytest.mark.parametrize("name", [name for name in Manifest.model_fields if name != "version"])
def test_every_field_is_required(name: str) -> None:
    document = {key: value for key, value in GOOD.items() if key != name}
    assert problems(json.dumps(document)) == [(name, "missing; the field is required")]


ABSOLUTE = "an absolute path; allowed: a POSIX path relative to the run"
UP = "'..' leads out of its folder; allowed: a POSIX path relative to the run"
INTEGER = "is not allowed; allowed: an integer"
UTC = "no ISO 8601 time in UTC; allowed: such as 2026-01-31T09:30:00Z"
FILE = ("checkpoint", "files", 0, "path")


REFUSED: list[tuple[tuple[str | int, ...], object, str, str]] = [
    (("version",), True, "version", f"true {INTEGER}"),
    (("version",), 1.0, "version", f"1.0 {INTEGER}"),
    (("version",), "1", "version", f'"1" {INTEGER}'),
    (("version",), 2, "version", "2 is a version that this Waypoint does not know; allowed: 1"),
    (("checkpoint", "step"), True, "checkpoint.step", f"true {INTEGER}"),
    (("checkpoint", "step"), 1e3, "checkpoint.step", f"1000.0 {INTEGER}"),
    (("checkpoint", "files", 1, "bytes"), False, "checkpoint.files[1].bytes", f"false {INTEGER}"),
    (("restore", "initial_step"), "5", "restore.initial_step", f'"5" {INTEGER}'),
    (
        ("restore", "best_metric", "value"),
        True,
        "restore.best_metric.value",
        "true is not allowed; allowed: a number",
    ),
    (("checks", 0, "ok"), 1, "checks[0].ok", "1 is not allowed; allowed: true or false"),
    (FILE, "/etc/passwd", "checkpoint.files[0].path", f'"/etc/passwd": {ABSOLUTE}'),
    (FILE, "a/../../b", "checkpoint.files[0].path", f'"a/../../b": {UP}'),
    (FILE, r"\x2e\x2e/b", "checkpoint.files[0].path", rf'"\\x2e\\x2e/b": {UP}'),
    (FILE, r"\x2fetc", "checkpoint.files[0].path", rf'"\\x2fetc": {ABSOLUTE}'),
    (("checkpoint", "path"), "..", "checkpoint.path", f'"..": {UP}'),
    (("run",), "/data/run", "run", f'"/data/run": {ABSOLUTE}'),
    (("created_at",), "2026-01-31T09:30:00", "created_at", f'"2026-01-31T09:30:00": {UTC}'),
    (("created_at",), "2026-01-31T09:30:00+02:00", "created_at", f'"2026-01-31T09:30:00+02:00": {UTC}'),
    (("created_at",), "2026-01-31T09:30:00Z\n", "created_at", f'"2026-01-31T09:30:00Z\\n": {UTC}'),
    (("created_at",), "2026-02-31T09:30:00Z", "created_at", f'"2026-02-31T09:30:00Z": {UTC}'),
    (("created_at",), "1769851800", "created_at", f'"1769851800": {UTC}'),
    (("created_at",), 1769851800, "created_at", f"1769851800: {UTC}"),
    (("mode",), "again", "mode", "\"again\" is not allowed; allowed: 'continue', 'rewind' or 'fork'"),
    (("overrides", "lr"), [1], "overrides.lr", "no scalar; allowed: text, a number, true, false or null"),
    (("checkpoint", "files"), [], "checkpoint.files", "no file; allowed: every file of the checkpoint"),
    (
        ("checkpoint", "files", 0, "crc"),
        1,
        "checkpoint.files[0].crc",
        "an unknown field; allowed: path, bytes, sha256",
    ),
    (("restore", "best_metric", "x"), 1, "restore.best_metric.x", "an unknown field; allowed: name, value, mode"),
    (("checks",), {}, "checks", "{} is not allowed; allowed: an array"),
    (("restore",), None, "restore", "null is not allowed; allowed: an object"),
]


@pytest.mark.parametrize(("path", "value", "where", "problem"), REFUSED)
def test_what_is_not_allowed_is_refused_by_name(
    path: tuple[str | int, ...], value: object, where: str, problem: str
) -> None:
    assert problems(changed(*path, value=value)) == [(where, problem)]


def test_a_file_is_listed_once() -> None:
    files = [GOOD["checkpoint"]["files"][0]] * 2
    told = problems(changed("checkpoint", "files", value=files))
    assert told == [("checkpoint.files", "'ckpts/ckpt-7.index' stands there twice; allowed: each file once")]


def test_every_problem_is_told_at_once() -> None:
    document = copy.deepcopy(GOOD)
    document["checkpoint"]["files"][0]["path"] = "../x"
    document["checkpoint"]["files"][1]["bytes"] = True
    document["restore"]["api"] = "eval"
    document["extra"] = 1
    del document["note"]
    with pytest.raises(ManifestError) as caught:
        parse(json.dumps(document))
    assert isinstance(caught.value, CoreError)
    assert isinstance(caught.value, ValueError)
    assert [problem.path for problem in caught.value.problems] == [
        "note",
        "checkpoint.files[0].path",
        "checkpoint.files[1].bytes",
        "restore.api",
        "extra",
    ]
    lines = str(caught.value).splitlines()
    assert lines[0] == "5 problems in the manifest:"
    assert lines[2].startswith("  in 'checkpoint.files[0].path': \"../x\": '..' leads out")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "not JSON: "),
        ("{", "not JSON: "),
        (b"\xff{}", "not UTF-8"),
        ('{"note": "\udc80"}', "not UTF-8"),
        ('{"note": "\\ud800"}', "not JSON: "),
        ("[1]", "an array; allowed: an object"),
        ("[" * 100_000, "not JSON: "),
        ('{"version": ' + "9" * 5000 + "}", "not JSON: "),
        (" " * (16 * 1024 * 1024 + 1), "16,777,217 bytes; allowed"),
    ],
    ids=["empty", "cut", "bytes", "surrogate", "escaped-surrogate", "array", "deep", "long-number", "huge"],
)
def test_what_is_no_json_object_is_refused(text: str | bytes, start: str) -> None:
    ((where, problem),) = problems(text)
    assert where == ""
    assert problem.startswith(start)


def test_a_key_that_stands_twice_is_refused() -> None:
    text = json.dumps(GOOD).replace('"mode": "continue"', '"mode": "fork", "mode": "continue"')
    assert problems(text) == [("mode", "the key stands there twice; allowed: once")]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(number: str) -> None:
    text = json.dumps(GOOD).replace('"value": 1', f'"value": {number}').replace("0.001", number)
    assert [where for where, _ in problems(text)] == ["restore.best_metric.value", "overrides.learning_rate"]


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))


@given(parts=st.lists(NAMES, min_size=1, max_size=4))
def test_every_path_on_a_disk_is_allowed(parts: list[bytes]) -> None:
    text = to_text(b"/".join(parts).decode("utf-8", "surrogateescape"))
    assert relative_path(text) == text
    assert re.search(PATH_PATTERN, text)


@given(text=st.text(alphabet=r"./\x2ef5ca", max_size=12))
def test_no_allowed_path_leads_up(text: str) -> None:
    try:
        name = from_text(relative_path(text))
    except ValueError:
        return
    parts = name.split("/")
    assert not name.startswith("/")
    assert not {"", ".", ".."} & set(parts)
    assert re.search(PATH_PATTERN, text)


@given(st.binary(max_size=200))
def test_garbage_is_a_problem_and_never_another_error(data: bytes) -> None:
    assert problems(data) != []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(list(GOOD)) | st.text(), inner),
    )
)
def test_any_json_is_a_problem_and_never_another_error(value: object) -> None:
    assert problems(json.dumps(value)) != []


def test_the_schema_in_the_docs_is_the_models() -> None:
    assert (DOCS / "resume_manifest.schema.json").read_text() == json_schema()


# What the words of a JSON Schema cannot tell: escapes, days of a month, that each file stands there once.
BEYOND_SCHEMA = (r"\x2e\x2e/b", r"\x2fetc", "2026-02-31T09:30:00Z")


@pytest.mark.parametrize(
    "text",
    [changed(*path, value=value) for path, value, *_ in REFUSED if value not in BEYOND_SCHEMA]
    + [json.dumps({key: value for key, value in GOOD.items() if key != name}) for name in GOOD],
)
def test_the_schema_refuses_what_the_rules_refuse(text: str) -> None:
    assert problems(text) != []
    # JSON Schema takes 1.0 for an integer, and a newline before the end for the end.
    if "1.0," in text or "1000.0" in text or "Z\\n" in text:
        return
    assert not SCHEMA.is_valid(json.loads(text))


def test_the_schema_takes_what_the_rules_take() -> None:
    for text in (
        json.dumps(GOOD),
        changed("run", value="."),
        changed("checkpoint", "step", value=-(2**63)),
        changed("restore", "best_metric", value=None),
        changed("checkpoint", "path", value=r"a\x0ab"),
        changed("overrides", value={}),
    ):
        assert problems(text) == []
        SCHEMA.validate(json.loads(text))


def test_every_list_of_words_is_the_rules() -> None:
    resumed = sorted((form for form in Format if spec_of(form).is_resumable), key=shared.FORMATS.index)
    pairs: list[tuple[Iterable[StrEnum], tuple[str, ...]]] = [
        (resumed, shared.FORMATS),
        (Contents, shared.CONTENTS),
        (RestoreApi, shared.APIS),
        (Mode, shared.MODES),
        (OptimizerOutcome, shared.OPTIMIZER_OUTCOMES),
        (Direction, shared.METRIC_MODES),
        (ItemKind, journal_rules.ITEM_KINDS),
        (JournalKind, journal_rules.JOURNAL_KINDS),
        (Stage, journal_rules.STAGES),
    ]
    for members, words in pairs:
        assert tuple(one.value for one in members) == words


@pytest.mark.parametrize(
    ("model", "spec"),
    [
        (Manifest, shared.MANIFEST_SPEC),
        (Journal, journal_rules.JOURNAL_SPEC),
        (PurgedBatch, journal_rules.PURGED_SPEC),
        (RewindPlan, journal_rules.PLAN_SPEC),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_a_record_has_the_fields_of_its_rules(model: type[BaseModel], spec: dict[str, Any]) -> None:
    fields, defs = properties(model.model_json_schema(), model.model_json_schema().get("$defs", {}))
    assert fields == properties(json_schema_of(spec), defs)[0]


def properties(schema: dict[str, Any], defs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The names of a schema's fields in their order, and of those inside; which may be null."""
    if "$ref" in schema:
        return properties(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema and {"type": "null"} in schema["anyOf"]:
        inner = [one for one in schema["anyOf"] if one != {"type": "null"}]
        return ("or null", properties(inner[0], defs)[0]), defs
    if "properties" in schema:
        return {name: properties(inner, defs)[0] for name, inner in schema["properties"].items()}, defs
    if schema.get("type") == "array":
        return [properties(schema["items"], defs)[0]], defs
    return None, defs


def test_the_docs_list_every_warning_and_every_call() -> None:
    text = (DOCS / "resume.md").read_text()
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert dict(listed) == TEXTS
    assert all(f"`{api.value}`" in text for api in RestoreApi)


def test_ids_are_of_version_7_and_count_up() -> None:
    made = [uuid7() for _ in range(2000)]
    assert made == sorted(set(made))
    assert {(item.version, item.variant) for item in made} == {(7, "specified in RFC 4122")}
    assert all(re.fullmatch(ids.PATTERN, str(item)) for item in made)


@pytest.mark.parametrize("clock", [lambda: 0, lambda: 1_700_000_000_000_000_000], ids=["gone-back", "standing-still"])
def test_ids_count_up_whatever_the_clock_does(clock: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = uuid7()
    monkeypatch.setattr(time, "time_ns", clock)
    assert before < uuid7() < uuid7()


def test_an_id_tells_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(time, "time_ns", lambda: 0x017F22E279B0 * 1_000_000)
    assert str(uuid7()).startswith("017f22e2-79b0-7")  # RFC 9562, appendix A.6
