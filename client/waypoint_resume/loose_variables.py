"""Variables of TensorFlow that a model holds and Keras does not know of: a tf.Variable as an attribute, the state of a
tf.random.Generator. Weights in TF form hold them, and no file of Keras does, so they are kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waypoint_resume.objects import is_split, is_variable, keras_backend, optimizers_in, value_of, walk_objects

MOST_BYTES = 64 << 10  # of all together: each state holds them anew


def loose_variables(models: Sequence[Any]) -> dict[str, Any]:
    """The variables by the paths that lead to them from their model, each once."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for number, model in enumerate(models):
        if keras_backend(model) != "tensorflow":
            continue
        seen |= {id(item) for item in _known(model)}
        for path, item in walk_objects(model):
            if is_variable(item) and id(item) not in seen:
                seen.add(id(item))
                found[f"{number}/{path}"] = item
    return found


def read_loose(models: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    """Their values; and, where they are too large to be kept with each save, that as text for people."""
    found = loose_variables(models)
    size = sum(_bytes(item) for item in found.values())
    if size > MOST_BYTES:
        names = ", ".join(path.partition("/")[2] for path in list(found)[:5])
        told = (
            f"{names}{', …' if len(found) > 5 else ''}: {size:,} bytes in variables of TensorFlow that no Keras file "
            "holds; make them with add_weight or keras.Variable, or save by a CheckpointManager"
        )
        return {}, [told]
    return {path: value_of(item) for path, item in found.items()}, []


def put_back_loose(models: Sequence[Any], kept: object) -> list[str]:
    """Give them their values again; what does not fit, as text for people."""
    if not isinstance(kept, Mapping) or not kept:
        return []
    own = loose_variables(models)
    fitting = {path: value for path, value in kept.items() if _fits(own.get(path), value)}
    for path, value in fitting.items():
        own[path].assign(value)
    return [f"{path.partition('/')[2]}: the model has no such variable now" for path in kept if path not in fitting]


def _known(model: Any) -> Iterator[Any]:  # noqa: ANN401
    """What Keras saves by itself, or makes anew in each epoch, and what is kept elsewhere (rates, counters)."""
    for owner in (model, *getattr(model, "metrics", ())):
        own = getattr(owner, "variables", ())
        for item in own() if callable(own) else own:
            yield item
            yield None if is_split(item) else getattr(item, "_value", None)
    for optimizer in optimizers_in(model):
        for _, item in walk_objects(optimizer):
            yield item
    for name in ("_train_counter", "_test_counter", "_predict_counter"):
        yield getattr(model, name, None)


def _fits(variable: Any, value: Any) -> bool:  # noqa: ANN401
    return variable is not None and tuple(variable.shape) == getattr(value, "shape", None)


def _bytes(variable: Any) -> int:  # noqa: ANN401
    count = 1
    for size in variable.shape:
        count *= int(size)
    return count * int(getattr(variable.dtype, "size", 4))
