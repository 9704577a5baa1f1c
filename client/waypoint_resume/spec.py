"""What a JSON document must look like, as data: every way in which one does not, each with its JSON path, and its JSON
Schema, both made from the one spec.

A spec is a rule (`rules.py`), a one-element tuple (spec or null), a list (array of), `Several` (an array with a rule of
its own), a dict (exactly these keys; those of `MayBeMissing` may be left out), `Fields` (the same with a description),
or `AnyNames` (an object with any keys).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from waypoint_resume.names import to_text
from waypoint_resume.rules import Rule, not_allowed

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # half of a character, alone or with its other half


class Problem(NamedTuple):
    """One thing that is wrong: its JSON path, '' for the document as a whole, and a sentence."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"in {self.path!r}: {self.problem}" if self.path else self.problem


class Fields(dict[str, Any]):
    """An object's fields, each with its spec, and what the object is."""

    def __init__(self, description: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.description = description


@dataclass(frozen=True)
class Several:
    """An array; `check` says what is wrong with it as a whole once all of its items are right."""

    item: Any
    check: Callable[[list[Any]], str | None]
    least: int = 0


@dataclass(frozen=True)
class MayBeMissing:
    """A field that may be null or not be there at all."""

    value: Any


@dataclass(frozen=True)
class AnyNames:
    """An object with keys of any name that a rule allows."""

    name: Rule
    value: Any


def or_null(spec: Any) -> Any:  # noqa: ANN401 - a spec, see above
    """A spec that allows null beside what another allows."""
    return (spec,)


def load_json(text: str | bytes, limit: int) -> tuple[dict[str, Any] | None, list[Problem]]:
    """A JSON object, or why there is none. A key that stands there twice is a problem, for readers differ in theirs."""
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in pairs:
            if key in members:
                twice.append(key)
            members[key] = value
        return members

    if len(text) > limit:
        return None, [Problem("", f"{len(text):,} bytes; allowed: at most {limit:,}")]
    try:
        # In this order: bytes that are not UTF-8, and text that cannot become UTF-8, are both refused.
        decoded = text.decode() if isinstance(text, bytes) else text.encode().decode()
    except UnicodeError:
        return None, [Problem("", "not UTF-8")]
    try:
        document = json.loads(decoded, object_pairs_hook=collect)
        if _HALF.search(decoded):
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeError:
        return None, [Problem("", "not JSON: half a character stands alone")]
    except (ValueError, RecursionError) as error:
        return None, [Problem("", f"not JSON: {error}")]
    if not isinstance(document, dict):
        return None, [Problem("", f"{_kind(document)}; allowed: an object")]
    return document, [Problem(to_text(key), "the key stands there twice; allowed: once") for key in twice]


def read_document(text: str | bytes, limit: int, spec: Any) -> tuple[dict[str, Any], list[Problem]]:  # noqa: ANN401
    """A JSON object and every way in which it breaks a spec; {} for text that is none."""
    document, problems = load_json(text, limit)
    return (document or {}), problems if document is None else [*problems, *find_problems(document, spec)]


def find_problems(value: Any, spec: Any, where: str = "") -> Iterator[Problem]:  # noqa: ANN401 - any JSON, any spec
    """Every way in which a JSON value breaks a spec, in the spec's order."""
    if isinstance(spec, (tuple, MayBeMissing)):
        if value is not None:
            yield from find_problems(value, spec.value if isinstance(spec, MayBeMissing) else spec[0], where)
    elif isinstance(spec, (list, Several)):
        yield from _in_array(value, spec, where)
    elif isinstance(spec, (dict, AnyNames)):
        if not isinstance(value, dict):
            yield Problem(where, not_allowed(value, "an object"))
        elif isinstance(spec, dict):
            yield from _in_object(value, spec, where)
        else:
            for name, inner in value.items():
                problem = spec.name(name)
                if problem:
                    yield Problem(_inside(where, name), problem)
                yield from find_problems(inner, spec.value, _inside(where, name))
    elif problem := spec(value):
        yield Problem(where, problem)


def problems_of(value: Any, spec: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401
    """The same as sentences that name the place."""
    return map(str, find_problems(value, spec, where))


def _in_array(value: Any, spec: Any, where: str) -> Iterator[Problem]:  # noqa: ANN401
    if not isinstance(value, list):
        yield Problem(where, not_allowed(value, "an array"))
        return
    item, is_right = spec[0] if isinstance(spec, list) else spec.item, True
    for number, one in enumerate(value):
        for problem in find_problems(one, item, f"{where}[{number}]"):
            is_right = False
            yield problem
    if isinstance(spec, Several) and is_right and (wrong := spec.check(value)):
        yield Problem(where, wrong)


def _in_object(value: dict[str, Any], spec: dict[str, Any], where: str) -> Iterator[Problem]:
    for name, inner in spec.items():
        if name not in value:
            if not isinstance(inner, MayBeMissing):
                yield Problem(_inside(where, name), "missing; the field is required")
        elif not isinstance(inner, Rule):
            yield from find_problems(value[name], inner, _inside(where, name))
        elif problem := inner.check(value[name]):
            yield Problem(_inside(where, name), problem)
    if len(value) > len(spec) or value.keys() - spec.keys():
        for name in value:
            if name not in spec:
                yield Problem(_inside(where, name), f"an unknown field; allowed: {', '.join(spec)}")


def _inside(where: str, name: str) -> str:
    return f"{where}.{to_text(name)}" if where else to_text(name)


def _kind(value: object) -> str:
    names = {list: "an array", str: "text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def json_schema(spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """The JSON Schema of a spec: what it allows, but for what only a rule's own check can tell."""
    if isinstance(spec, (tuple, MayBeMissing)):
        inner = json_schema(spec.value if isinstance(spec, MayBeMissing) else spec[0])
        return {"anyOf": [inner, {"type": "null"}]}
    if isinstance(spec, list):
        return {"type": "array", "items": json_schema(spec[0])}
    if isinstance(spec, Several):
        return {"type": "array", "items": json_schema(spec.item), "minItems": spec.least}
    if isinstance(spec, AnyNames):
        names = {name: one for name, one in spec.name.schema.items() if name != "type"}
        return {"type": "object", "propertyNames": names, "additionalProperties": json_schema(spec.value)}
    if isinstance(spec, dict):
        about = {"description": spec.description} if isinstance(spec, Fields) else {}
        properties = {name: json_schema(inner) for name, inner in spec.items()}
        required = [name for name, inner in spec.items() if not isinstance(inner, MayBeMissing)]
        closed = {"required": required, "additionalProperties": False}
        return {"type": "object", **about, "properties": properties, **closed}
    return dict(spec.schema)
