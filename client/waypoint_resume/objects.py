"""The objects of a job: models, optimizers and variables, and how they are reached.

Where Keras runs on another backend than TensorFlow they are no trackable objects of it, and TensorFlow need not be
installed: only what walks along the edges of trackable objects imports it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Parts of a path under which metrics lie: every epoch resets them, so they are told, and never in the way.
_PASSING = frozenset({"keras_api", "metrics", "_metrics", "_compile_metrics", "loss_tracker", "_loss_tracker"})
_PASSING |= {"compiled_metrics", "compiled_loss", "metrics_variables"}
_MOST_PARTS = 1_000  # of a list or dictionary in which parts of a model are looked for: longer ones hold data
COUNTERS = ("_iterations", "iter", "iterations")


def passes_over(path: str) -> bool:
    """Tell whether a path leads to metrics, which every epoch resets."""
    return not _PASSING.isdisjoint(path.split("/"))


def children_of(item: Any) -> Mapping[str, Any]:  # noqa: ANN401 - TensorFlow has no types
    """Return the trackable parts of an object by the names of the edges."""
    import tensorflow as tf

    if is_split(item):
        return {}
    found: dict[str, Any] = dict(tf.train.TrackableView.children(item))
    for part in getattr(item, "_attached_dependencies", None) or ():  # of tf.train.Checkpoint(root)
        found |= dict(children_of(part.ref)) if part.name == "root" else {part.name: part.ref}
    return found


def walk_objects(root: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Every trackable object below one, each once, with its shortest path; those nearest first."""
    seen, queue = {id(root)}, [("", root)]
    for path, item in queue:
        yield path, item
        for name, child in children_of(item).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))


def is_variable(item: object) -> bool:
    """Tell whether an object is a variable of TensorFlow or Keras."""
    return all(hasattr(item, name) for name in ("assign", "numpy", "shape", "dtype"))


def is_optimizer(item: object) -> bool:
    """Tell whether an object is an optimizer."""
    return not is_split(item) and hasattr(item, "apply_gradients") and hasattr(item, "iterations")


def is_model(item: object) -> bool:
    """Tell whether an object is a Keras model or a tf.Module, and no optimizer."""
    tensorflow: Any = sys.modules.get("tensorflow")  # without it there is no tf.Module
    return (
        not is_split(item)
        and not is_optimizer(item)
        and (hasattr(item, "fit") or (tensorflow is not None and isinstance(item, tensorflow.Module)))
    )


def has_all_variables(model: Any) -> bool:  # noqa: ANN401 - of either Keras
    """Tell whether a Keras model has its variables: it was built, or all its parts were. One that only holds the models
    which its train_step trains (a GAN) is never called, so that Keras itself never calls it built.
    """
    if getattr(model, "_flatten_layers", None) is None:
        return bool(getattr(model, "built", True))
    parts = list(_parts_of(model, {id(model)}))
    return (bool(model.built) or bool(parts)) and all(item.built or is_never_called(item) for item in parts)


def _parts_of(layer: Any, seen: set[int]) -> Iterator[Any]:  # noqa: ANN401
    """The layers in a layer, at any depth, but those in a built layer of Keras' own: that one has made what it needs,
    though it may hold layers that never count as built (the StringLookup of a TextVectorization).
    """
    for item in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001 - no public name
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        is_keras_own = type(item).__module__.partition(".")[0] in ("keras", "tf_keras")
        if not (is_keras_own and item.built) or is_model(item):
            yield from _parts_of(item, seen)


@contextlib.contextmanager
def as_if_built(model: Any) -> Iterator[None]:  # noqa: ANN401
    """Let Keras 3 read and write the weights of a model that has its variables and is never called."""
    is_built = getattr(model, "built", True)
    if not is_built:
        model.built = True
    try:
        yield
    finally:
        if not is_built:
            model.built = False


def is_never_called(layer: Any) -> bool:  # noqa: ANN401
    """Tell whether a model has no call() of its own."""
    base = next((kind for kind in type(layer).__mro__ if kind.__name__ == "Model"), None)
    return base is not None and getattr(type(layer), "call", None) is getattr(base, "call", None)


def optimizers_in(model: Any) -> list[Any]:  # noqa: ANN401
    """The optimizers that a model holds as attributes, in lists and dictionaries too, and those of models in it."""
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def look(item: Any) -> None:  # noqa: ANN401
        if id(item) in seen or is_split(item):
            return
        seen.add(id(item))
        if is_optimizer(item):
            found[id(item)] = item
        elif isinstance(item, (list, tuple, Mapping)) and len(item) <= _MOST_PARTS:
            for part in item.values() if isinstance(item, Mapping) else item:
                look(part)
        elif hasattr(item, "fit"):
            for name, part in list(vars(item).items()):
                if not name.startswith("__"):
                    look(part)

    look(model)
    return list(found.values())


def variable_name(variable: Any) -> str:  # noqa: ANN401
    """Return a variable's path, or its name without the output number."""
    return str(variable.name if is_split(variable) else getattr(variable, "path", variable.name)).partition(":")[0]


def kind_of(shape: Any, dtype: Any) -> str:  # noqa: ANN401
    """Return type and shape as text, as in `float32 (3, 4)`."""
    return f"{getattr(dtype, 'name', dtype)} {tuple(shape)}"


def keras_package(model: object) -> str | None:
    """`keras` or `tf_keras`, whichever a model is made of; None for neither."""
    tops = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    return next((top for top in tops if top in ("keras", "tf_keras")), None)


def keras_generation(model: object) -> int:
    """2 or 3: the Keras that a model is made of; 0 for none."""
    name = keras_package(model)
    return int(importlib.import_module(name).__version__.partition(".")[0]) if name else 0


def keras_backend(model: object) -> str | None:
    """What the Keras of a model runs on: `tensorflow`, `jax`, `torch`, …; None for what is no Keras model."""
    name = keras_package(model)
    return str(importlib.import_module(name).backend.backend()) if name else None


def sync_variables(model: object) -> None:
    """Bring a model's variables up to date in mid-epoch: on JAX, fit() holds their values elsewhere while it trains."""
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        sync()


def slot_meaning(name: str, trained: Sequence[str]) -> str | None:
    """What a slot is for: what stands in its name behind the variable that it belongs to (Keras 3), else before it
    (Keras 2: `Adam/m/dense/kernel`, whose first part depends on where the slots were made).
    """
    plain = name.replace("/", "_")
    owners = sorted((other.replace("/", "_") for other in trained), key=len, reverse=True)
    owner = next((other for other in owners if other in plain), None)
    if owner is None:
        return None
    start = plain.rindex(owner)
    return plain[start + len(owner) :].strip("_") or name[:start].strip("/").rpartition("/")[2]


def value_of(variable: Any) -> Any:  # noqa: ANN401
    """A variable's value as a NumPy array, without waiting for anybody: of one that several workers each hold a part of
    (a mean or a sum over them, which TensorFlow takes when it is read, and all must read it) this worker's own part.
    """
    if is_split(variable):
        return variable.values[0].numpy()
    inner: Any = getattr(variable, "value", None)  # of Keras 3 it is TensorFlow's variable
    return inner.values[0].numpy() if is_split(inner) else variable.numpy()


def is_split(variable: Any) -> bool:  # noqa: ANN401
    """Whether each replica of a strategy holds a part of a variable of TensorFlow. Asked for an attribute that it does
    not have, such a variable is read, and a worker that asks alone waits for ever or breaks the others' step.
    """
    kind = str(getattr(variable, "synchronization", ""))
    return kind.endswith("ON_READ") and bool(getattr(variable, "values", ()))
