"""What a callback of the job's own remembers in plain attributes: numbers, text, lists, dictionaries, arrays.

Settings are no memory. An attribute is memory if it has another value than when the training began; it is put back only
where the next start begins with the same value, so that whoever changes a setting gets it. A callback that holds
something else (a deque, a generator, a file) is not kept at all, for half a memory may be worse than none.
"""

from __future__ import annotations

import contextlib
import types
import weakref
from collections.abc import Mapping
from typing import Any

from waypoint_resume.objects import is_model, is_optimizer, is_variable, value_of
from waypoint_resume.values import UnkeptError, encode

OF_KERAS = frozenset({"params", "model", "_model", "validation_data", "_chief_worker_only", "_supports_tf_logs"})
_LONGEST = 64 << 10  # characters, as JSON: each state holds it anew
_WAY_OUT = "; give it get_state() and set_state()"
_FIXED = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType, type)
# By the id of each callback: it, and its attributes as JSON when its training began.
_BEGUN: dict[int, tuple[weakref.ref[Any], dict[str, Any]]] = {}


def note_beginning(callback: Any) -> None:  # noqa: ANN401 - of either Keras
    """Remember with what a callback begins, when every on_train_begin has run and nothing is put back."""
    own = id(callback)
    _BEGUN.pop(own, None)
    with contextlib.suppress(UnkeptError):
        begun = {name: _as_json(value) for name, value in _attributes(callback).items()}
        _BEGUN[own] = weakref.ref(callback, lambda _: _BEGUN.pop(own, None)), begun


def read_own(callback: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """What changed since the training began, and what that began with; or why it is not kept. None without any."""
    try:
        attributes = _attributes(callback)
        now, begun = {name: _as_json(value) for name, value in attributes.items()}, _begun(callback)
    except UnkeptError as error:
        return {"unkept": f"what it remembers is not kept: {error}"}
    if begun is None or len(repr(now)) > _LONGEST:
        why = "with what it began is not known" if begun is None else "it is too long"
        return {"unkept": f"what it remembers is not kept: {why}{_WAY_OUT}"}
    changed = {name: _plain(value) for name, value in attributes.items() if begun.get(name) != now[name]}
    return {"changed": changed, "begun": begun} if attributes else None


def give_own(callback: Any, memory: Mapping[str, Any]) -> list[str]:  # noqa: ANN401
    """Put it back; what is not, as text for people."""
    if isinstance(memory.get("unkept"), str):
        return [memory["unkept"]]
    changed, begun, own = memory.get("changed"), memory.get("begun"), _begun(callback)
    if not isinstance(changed, Mapping) or not isinstance(begun, Mapping) or own is None:
        return ["what was kept is no memory of it"]
    others = [name for name in {**begun, **changed} if own.get(name) != begun.get(name)]
    attributes = _attributes(callback)
    for name, value in changed.items():
        if name not in others:
            _give(callback, name, attributes.get(name), value)
    return [f"{', '.join(others)} began with another value, which stands"] if others else []


def _begun(callback: Any) -> dict[str, Any] | None:  # noqa: ANN401
    known = _BEGUN.get(id(callback))
    return known[1] if known is not None and known[0]() is callback else None


def _give(callback: Any, name: str, own: Any, value: Any) -> None:  # noqa: ANN401
    if is_variable(own):
        own.assign(value)
    elif type(own) is list and type(value) is list:  # the script may hold the same one
        own[:] = value
    elif type(own) is dict and type(value) is dict:
        own.clear()
        own.update(value)
    else:
        setattr(callback, name, value)


def _attributes(callback: Any) -> dict[str, Any]:  # noqa: ANN401
    """The attributes that a callback's own class sets; none of what is fixed, and none of what Keras' classes use."""
    theirs = set(OF_KERAS)
    for kind in type(callback).__mro__:
        if kind.__module__.partition(".")[0] in ("keras", "tf_keras"):
            for item in vars(kind).values():
                theirs.update(getattr(getattr(item, "__code__", None), "co_names", ()))
    found = {name: value for name, value in vars(callback).items() if name not in theirs}
    return {name: value for name, value in found.items() if not _is_fixed(value)}


def _is_fixed(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, _FIXED) or is_model(value) or is_optimizer(value)


def _as_json(value: Any) -> Any:  # noqa: ANN401
    arrays: dict[str, Any] = {}
    found = encode(_plain(value), arrays)
    if arrays:
        raise UnkeptError(f"it holds long arrays{_WAY_OUT}")
    return found


def _plain(value: Any, depth: int = 0) -> Any:  # noqa: ANN401
    """A value that comes back as what it is; UnkeptError for any other, a subclass of a list for one."""
    if is_variable(value):
        return value_of(value)
    kind = type(value)
    if kind is list or kind is tuple:
        return kind(_plain(item, depth + 1) for item in value)
    if kind is dict:
        return {name: _plain(item, depth + 1) for name, item in value.items()}
    if value is None or kind in (bool, int, float, str, bytes) or kind.__module__ == "numpy":
        return value
    raise UnkeptError(f"it holds a {kind.__name__}{_WAY_OUT}")
