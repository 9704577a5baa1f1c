"""Variables that Keras' own files do not hold as they are: a layer's `save_own_variables` writes something else.

A layer with LoRA saves its kernel with the factors merged into it, and is loaded with factors of zeros. What such a
file restores computes the same, and training goes another way. So those variables are kept beside the checkpoint. Which
they are is found by asking the layers: no kind of layer is known here by its name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waypoint_resume.objects import keras_package, value_of, variable_name
from waypoint_resume.random_state import layers_of

FORMATS = frozenset({"keras", "keras-folder", "weights-h5"})  # which are written by save_own_variables
MOST_BYTES = 4 << 30  # of all together; what stays the same from save to save, as a frozen kernel, is stored once
_OWN = ("_trainable_variables", "_trainable_weights"), ("_non_trainable_variables", "_non_trainable_weights")


def rewritten_variables(models: Sequence[Any]) -> dict[str, Any]:
    """The variables by their places, see `_by_place`."""
    found: dict[str, Any] = {}
    for layer, own in _by_place(models):
        stored: dict[str, Any] = {}
        with contextlib.suppress(Exception):  # one that wants more than a dictionary: what it writes cannot be told
            layer.save_own_variables(stored)
            written = list(stored.values())
            found |= {place: item for place, item in own.items() if not any(_is_as_it_is(one, item) for one in written)}
    return found


def _by_place(models: Sequence[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each layer that writes its variables otherwise than every layer does, and those: by number of the model, of the
    layer in it and of the variable in that, for names may differ from start to start.
    """
    for number, model in enumerate(models):
        for place, layer in enumerate(layers_of(model)):
            own = [item for names in _OWN for item in next((getattr(layer, n) for n in names if hasattr(layer, n)), ())]
            if own and _saves_by_itself(layer):
                yield layer, {f"{number}/{place}/{index}": item for index, item in enumerate(own)}


def _saves_by_itself(layer: Any) -> bool:  # noqa: ANN401
    """Whether a layer writes its variables otherwise than every layer does."""
    base = next((kind for kind in type(layer).__mro__ if kind.__name__ == "Layer" and keras_package(layer)), None)
    own = getattr(type(layer), "save_own_variables", None)
    return base is not None and own is not None and own is not getattr(base, "save_own_variables", None)


def _is_as_it_is(value: Any, variable: Any) -> bool:  # noqa: ANN401
    """Whether what is stored is the variable, or its value."""
    import numpy as np

    if value is variable:
        return True
    if tuple(getattr(value, "shape", (None,))) != tuple(variable.shape):
        return False
    return bool(np.asarray(value).tobytes() == value_of(variable).tobytes())


def read_rewritten(models: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    """Their values; and, where they are too large to be kept, that as text for people."""
    found = rewritten_variables(models)
    size = sum(item.size * item.itemsize for item in map(value_of, found.values()))
    if size > MOST_BYTES:
        told = f"{_names(found)}: {size:,} bytes that Keras' files hold in another form; save by a CheckpointManager"
        return {}, [told]
    return {place: value_of(item) for place, item in found.items()}, []


def put_back_rewritten(models: Sequence[Any], kept: object) -> list[str]:
    """Give them their values again; what does not fit, as text for people."""
    if not isinstance(kept, Mapping) or not kept:
        return []
    # Any of the layers' variables: with factors of zeros a kernel is written as it is.
    own = {place: item for _, inner in _by_place(models) for place, item in inner.items()}
    shapes = {place: getattr(value, "shape", None) for place, value in kept.items()}
    if any(place not in own or tuple(own[place].shape) != shape for place, shape in shapes.items()):
        return ["variables of layers that Keras' files hold in another form: the model has others now"]
    for place, value in kept.items():
        own[place].assign(value)
    return []


def told_rewritten(models: Sequence[Any], kept: object) -> str | None:
    """What is said where a file of Keras was restored that does not hold the variables as they were, and `kept` does
    not either; None where all is well.
    """
    lacking = {} if kept else rewritten_variables(models)
    if not lacking:
        return None
    names = _names(lacking)
    told = (
        f"{names}: the file holds what their layers save in the place of these variables, and nothing kept beside it "
        "holds them: they compute the same, and training goes on another way."
    )
    if "lora" in names:
        told += (
            " Keras merges LoRA into the kernel and loads both of its factors as zeros, from where neither learns: "
            "give lora_kernel_a new values before fit()."
        )
    return told


def _names(variables: Mapping[str, Any]) -> str:
    names = [variable_name(item) for item in variables.values()]
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
