"""Whether callbacks may exchange a model's weights for the time of a validation, as SwapEMAWeights does."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from waypoint_resume.objects import sync_variables, value_of

_HOOKS = ("on_test_begin", "on_test_batch_begin", "on_test_batch_end")
_LEAVE_WEIGHTS = frozenset({"Callback", "ProgbarLogger", "TensorBoard", "LambdaCallback"})


def may_change_weights(callbacks: Sequence[Any]) -> bool:
    """Whether a callback does something of its own in a validation, but for those of Keras that are known not to."""
    return any(_kind_of_hook(callback, name) not in _LEAVE_WEIGHTS for callback in callbacks for name in _HOOKS)


def _kind_of_hook(callback: Any, name: str) -> str:  # noqa: ANN401
    """The name of the class that a callback's hook comes from; `Callback` for one that has none."""
    if name in getattr(callback, "__dict__", ()):
        return "set on the callback itself"
    kind = next((kind for kind in type(callback).__mro__ if name in vars(kind)), None)
    if kind is None:
        return "Callback"
    return kind.__name__ if _is_of_keras(kind) else f"{kind.__module__}.{kind.__name__}"


def _is_of_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("keras", "tf_keras")


def checksum(model: Any) -> int:  # noqa: ANN401
    """A checksum of everything that a model saves as its weights."""
    sync_variables(model)
    found = 0
    for item in model.weights:
        found = zlib.crc32(value_of(item).tobytes(), found)
    return found
