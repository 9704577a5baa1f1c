"""pydantic's errors as problems: a JSON path, what stands there, and what is allowed."""

import json
from collections.abc import Iterable
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.model import Problem
from waypoint_resume.names import to_text

_SHOWN = 80
# What pydantic's kinds of error allow, where its own sentence does not say it well.
_ALLOWED = {
    "int_type": "an integer",
    "int_parsing_size": "an integer of 64 bits",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
}


def explain(error: ValidationError, model: type[BaseModel]) -> tuple[Problem, ...]:
    """One problem for each error, in the document's order of fields."""
    return tuple(_explain(detail, model) for detail in error.errors(include_url=False))


def json_path(parts: Iterable[str | int]) -> str:
    """A place in a document: `checkpoint.files[0].path`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{to_text(part)}" if text else to_text(part)
    return text


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    where = tuple(part for part in detail["loc"] if part != "[key]")
    return Problem(path=json_path(where), problem=_sentence(detail, where, model))


def _sentence(detail: ErrorDetails, where: tuple[str | int, ...], model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    shown = _show(detail["input"])
    match kind:
        case "json_invalid":
            sentence = f"not JSON: {context['error']}"
        case "missing":
            sentence = "missing; the field is required"
        case "extra_forbidden":
            owner = _model_at(model, where[:-1])
            sentence = f"an unknown field; allowed: {', '.join(owner.model_fields)}" if owner else "an unknown field"
        case "value_error" if isinstance(detail["input"], list | dict):
            sentence = str(context["error"])
        case "value_error":
            sentence = f"{shown}: {context['error']}"
        case "enum":
            sentence = f"{shown} is not allowed; allowed: {context['expected']}"
        case "string_pattern_mismatch":
            sentence = f"{shown} is not allowed; allowed: text that matches {context['pattern']}"
        case _:
            allowed = _ALLOWED.get(kind) or detail["msg"][:1].lower() + detail["msg"][1:]
            sentence = f"{shown} is not allowed; allowed: {allowed}"
    return sentence


def _show(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _model_at(model: type[BaseModel], where: Iterable[str | int]) -> type[BaseModel] | None:
    """The model that a place in the document is read with."""
    current: type[BaseModel] | None = model
    for part in where:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if current else None
        current = _inner_model(field.annotation) if field else None
    return current


def _inner_model(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - an annotation can be anything
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Union, UnionType):
        return next((found for inner in get_args(annotation) if (found := _inner_model(inner))), None)
    return None
