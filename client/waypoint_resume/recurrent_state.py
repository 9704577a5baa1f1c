"""The states of stateful recurrent layers, which no file of Keras holds: `LSTM(…, stateful=True)` goes on from the last
batch in the next one, across epochs, until the job resets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from waypoint_resume.objects import is_variable, value_of
from waypoint_resume.random_state import layers_of

MOST_BYTES = 16 << 20  # of all together: each state holds them anew


def read_recurrent(models: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """The values of the states in the order of their layers; and, where they are too large to be kept with each save,
    that as text for people.
    """
    values = [value_of(item) for _, item in _states(models)]
    size = sum(value.nbytes for value in values)
    if size > MOST_BYTES:
        names = ", ".join(dict.fromkeys(name for name, _ in _states(models)))
        return [], [f"{names}: {size:,} bytes of states of stateful recurrent layers, more than {MOST_BYTES:,}"]
    return values, []


def put_back_recurrent(models: Sequence[Any], kept: object) -> list[str]:
    """Give the states their values again; where they are others now, that as text for people."""
    if not isinstance(kept, list) or not kept:
        return []
    own = [item for _, item in _states(models)]
    if [tuple(item.shape) for item in own] != [getattr(value, "shape", None) for value in kept]:
        return ["the states of stateful recurrent layers: the model has others now than when this was saved"]
    for item, value in zip(own, kept):
        item.assign(value)
    return []


def _states(models: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each state, with the name of its layer, once."""
    seen: set[int] = set()
    for layer in (layer for model in models for layer in layers_of(model)):
        if getattr(layer, "stateful", False) is not True or id(layer) in seen:
            continue
        seen.add(id(layer))
        for item in _flat(getattr(layer, "states", None)):
            if is_variable(item):
                yield str(layer.name), item


def _flat(states: Any) -> Iterator[Any]:  # noqa: ANN401 - a variable, or lists of lists of them
    if isinstance(states, (list, tuple)):
        for item in states:
            yield from _flat(item)
    elif states is not None:
        yield states
