"""Variables that functions hold and no model does, such as a weight of the loss that a callback anneals. They are found
in the closures and the globals of the functions of callbacks, losses and models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waypoint_resume.loose_variables import MOST_BYTES
from waypoint_resume.objects import is_variable, keras_backend, keras_package, value_of


def read_held(models: Sequence[Any], callbacks: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    """Their values by their names; and, where they are too large to be kept with each save, that as text for people."""
    values = {name: value_of(item) for name, item in _held(models, callbacks).items()}
    size = sum(value.nbytes for value in values.values())
    if size > MOST_BYTES:
        return {}, [f"{', '.join(values)}: {size:,} bytes of variables that functions hold, more than {MOST_BYTES:,}"]
    return values, []


def put_back_held(models: Sequence[Any], callbacks: Sequence[Any], kept: object) -> list[str]:
    """Give them their values again; what does not fit, as text for people."""
    if not isinstance(kept, Mapping) or not kept:
        return []
    own, told = _held(models, callbacks), []
    for name, value in kept.items():
        if name in own and tuple(own[name].shape) == getattr(value, "shape", None):
            own[name].assign(value)
        else:
            told.append(f"{name}: no function of the job holds such a variable now")
    return told


def _held(models: Sequence[Any], callbacks: Sequence[Any]) -> dict[str, Any]:
    """The variables by the names that functions have for them, each once, without those of the models."""
    seen = {id(item) for model in models for item in _variables_of(model)}
    if any(keras_backend(model) == "jax" for model in models):  # its compiled step keeps the value that it began with
        seen |= {id(item) for _, function in _functions(models, ()) for _, item in _names_in(function)}
    found: dict[str, Any] = {}
    for owner, function in _functions(models, callbacks):
        for name, item in _names_in(function):
            if id(item) not in seen and is_variable(item):
                seen.add(id(item))
                found[f"{owner}/{name}"] = item
    return found


def _variables_of(model: Any) -> Iterator[Any]:  # noqa: ANN401 - of either Keras
    for owner in (model, getattr(model, "optimizer", None)):
        own = getattr(owner, "variables", ())
        yield from own() if callable(own) else own


def _functions(models: Sequence[Any], callbacks: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The job's own functions that a training calls, each with the name of what it is of."""
    for item in (*callbacks, *models):
        own = [part for part in getattr(item, "__dict__", {}).values() if hasattr(part, "__code__")]
        for kind in type(item).__mro__:
            if keras_package(item) is None or kind.__module__.partition(".")[0] not in ("keras", "tf_keras"):
                own += [part for part in vars(kind).values() if hasattr(part, "__code__")]
        yield from ((type(item).__name__, part) for part in own)
    for model in models:
        losses = getattr(model, "loss", None)
        named = losses.values() if isinstance(losses, Mapping) else losses if isinstance(losses, list) else [losses]
        yield from (("loss", part) for part in named if hasattr(part, "__code__"))


def _names_in(function: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    code = function.__code__
    for name, cell in zip(code.co_freevars, getattr(function, "__closure__", None) or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    names = getattr(function, "__globals__", {})
    yield from ((name, names[name]) for name in code.co_names if name in names)
