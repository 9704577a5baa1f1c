"""Which layers are trained now and were not when a checkpoint was saved, or the other way round, in words.

An optimizer's values fit the variables that it trained alone. What those were tells a model's configuration where the
file holds one, else the object graph of a bundle, else the names of Orbax' tree, else the shapes of the values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

_MOST_LAYERS = 24  # that may have changed, where shapes alone tell: beyond it nobody tries them all
_MOST_CHANGED = 3  # layers at once
_CLASSES = frozenset(
    "adadelta adafactor adagrad adam adamax adamw ftrl lamb lion muon nadam rmsprop sgd".split()  # noqa: SIM905
)
OTHERS_TRAINED = (
    "the optimizer had {theirs} values when this was saved and has {own} now: other layers were trained, or it was of "
    "another class"
)


class LayerUse(NamedTuple):
    """A layer with variables that can be trained: its name with those of the models around it, whether it is trained,
    and those variables.
    """

    name: str
    is_trained: bool
    variables: list[Any]


def layers_of(model: Any) -> list[LayerUse]:  # noqa: ANN401 - of either Keras
    """The layers of a model that hold variables of their own which can be trained, in its order."""
    return list(_layers(model, ""))


def _layers(layer: Any, above: str) -> Iterator[LayerUse]:  # noqa: ANN401
    for item in getattr(layer, "layers", None) or _parts(layer):
        name = f"{above}{getattr(item, 'name', type(item).__name__)}"
        own = getattr(item, "_trainable_variables", None)
        own = getattr(item, "_trainable_weights", ()) if own is None else own
        if own:
            yield LayerUse(name, bool(item.trainable), list(own))
        yield from _layers(item, f"{name}/")


def _parts(layer: Any) -> list[Any]:  # noqa: ANN401
    flatten = getattr(layer, "_flatten_layers", None)
    return [] if flatten is None else list(flatten(recursive=False, include_self=False))


def changed_by_config(config: Mapping[str, Any], model: Any) -> list[LayerUse]:  # noqa: ANN401
    """The layers of a model that its configuration in a file calls frozen and that are trained now, or the reverse."""
    there = dict(_flags(config.get("config")))
    return [item for item in layers_of(model) if item.name in there and there[item.name] != item.is_trained]


def _flags(config: Any, above: str = "", *, is_trained: bool = True) -> Iterator[tuple[str, bool]]:  # noqa: ANN401
    """The layers in a model's configuration by name, and whether each was trained."""
    layers = config.get("layers") if isinstance(config, Mapping) else None
    for item in layers if isinstance(layers, list) else ():
        inner = item.get("config") if isinstance(item, Mapping) else None
        if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
            name, own = f"{above}{inner['name']}", is_trained and inner.get("trainable") is not False
            yield name, own
            yield from _flags(inner, f"{name}/", is_trained=own)


def changed_by_variables(was: Collection[int], now: Collection[int], models: Iterable[Any]) -> list[LayerUse]:
    """The layers whose variables were trained (their identities are in `was`) and are not, or the reverse; each as it
    is now.
    """
    found = []
    seen: set[int] = set()  # a model within another one is met again by itself
    for model in models:
        for item in layers_of(model):
            own = {id(variable) for variable in item.variables} - seen
            seen |= own
            if not own:
                continue
            trained = not own.isdisjoint(now)
            if trained == own.isdisjoint(was):
                found.append(item._replace(is_trained=trained))
    return found


def changed_by_shapes(theirs: Sequence[Any], own: Sequence[Any], model: Any) -> list[LayerUse]:  # noqa: ANN401
    """The layers that the shapes of an optimizer's values tell to have changed, where only one answer is possible.

    `theirs` and `own` are the shapes of its values in the file and in the job, each a tuple.
    """
    layers = layers_of(model)
    trained = sum(len(item.variables) for item in layers if item.is_trained)
    each, rest = divmod(len([shape for shape in own if shape]), trained or 1)
    more, less = Counter(theirs), Counter(own)
    missing, extra = less - more, more - less
    if rest or not each or len(layers) > _MOST_LAYERS or bool(missing) == bool(extra):
        return []
    candidates = [item for item in layers if item.is_trained == bool(missing)]
    fitting = [
        chosen
        for count in range(1, _MOST_CHANGED + 1)
        for chosen in combinations(candidates, count)
        if _slots_of(chosen, each) == (missing or extra)
    ]
    return list(fitting[0]) if len(fitting) == 1 else []


def flags_tell(changed: Sequence[LayerUse], shapes: Sequence[Any], own: Sequence[Any], model: Any) -> bool:  # noqa: ANN401
    """Whether the layers' flags in a file agree with the shapes of its optimizer's values: a flag that was set after
    compile() tells nothing of what was trained.
    """
    layers, names = layers_of(model), {item.name for item in changed}
    trained = sum(len(item.variables) for item in layers if item.is_trained)
    each, rest = divmod(len([shape for shape in own if shape]), trained or 1)
    was = [item for item in layers if item.is_trained != (item.name in names)]
    return bool(each and was) and not rest and _slots_of(was, each) == Counter(shape for shape in shapes if shape)


def _slots_of(layers: Iterable[LayerUse], each: int) -> Counter[Any]:
    shapes = Counter(tuple(variable.shape) for item in layers for variable in item.variables)
    return Counter({shape: count * each for shape, count in shapes.items()})


def told_changes(changed: Iterable[LayerUse]) -> list[str]:
    """A sentence for each layer."""
    told = {True: "is trainable now and was frozen", False: "is frozen now and was trainable"}
    return [f"layer {item.name} {told[item.is_trained]} when this was saved" for item in changed]


def told_other_optimizer(optimizer: Any, then: str) -> list[str]:  # noqa: ANN401
    """A sentence where a file names an optimizer of another class; [] where its name tells none, such as one that a job
    made up: `adam_1` is the second Adam of a process.
    """
    mine = [item for item in (optimizer, getattr(optimizer, "inner_optimizer", None)) if item is not None]
    names = {_class_in(name) for item in mine for name in (str(getattr(item, "name", "")), type(item).__name__)}
    if _class_in(then) not in _CLASSES or _class_in(then) in names:
        return []
    return [told_other_class(type(optimizer).__name__, _class_in(then))]


def told_other_class(now: str, then: str) -> str:
    """The sentence for an optimizer of another class."""
    return f"the optimizer is {now} now and was {then} when this was saved"


def _class_in(name: str) -> str:
    """An optimizer's name as Keras makes it of its class, without the number that tells namesakes apart."""
    return re.sub(r"_\d+$", "", name.lower())
