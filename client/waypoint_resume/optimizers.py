"""Optimizers that are not built yet: what each of them trains, and making their slots for it.

A slot that is missing when a checkpoint is loaded is dropped without a word, so they are made before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waypoint_resume.objects import is_optimizer, is_split

_SAYS_NOTHING = frozenset({"optimizer", "optimiser", "optim", "opt", "adam", "adamw", "sgd", "rmsprop", "model", "net"})
_NO_SLOTS = frozenset({"iteration", "iter", "learning_rate", "current_learning_rate", "decay"})


def is_built(optimizer: Any) -> bool:  # noqa: ANN401 - Keras has no types
    """Whether an optimizer has its slots."""
    legacy_slots = getattr(optimizer, "_slots", None)
    return bool(getattr(optimizer, "built", False) or getattr(optimizer, "_built", False) or legacy_slots)


def build(optimizer: Any, variables: Sequence[Any]) -> None:  # noqa: ANN401
    """Make an optimizer's slots for the variables that it trains, in their order."""
    if hasattr(optimizer, "build"):
        optimizer.build(list(variables))
    elif hasattr(optimizer, "_create_all_weights"):  # an optimizer of Keras 2's legacy kind
        optimizer._create_all_weights(list(variables))  # noqa: SLF001 - no public name


def owner_by_name(optimizer: Any, siblings: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """The model among an optimizer's siblings whose name its name begins or shortens; None unless there is one.

    `generator_optimizer` and `g_opt` train `generator`, if nothing else beside them begins so; `gen_F_optimizer` trains
    `gen_F` and not `gen_G`, for more of its words are the same.
    """
    names = [name for name, item in siblings.items() if item is optimizer]
    likeness: dict[int, tuple[int, int]] = {}
    models = {name: item for name, item in siblings.items() if is_trained(item)}
    for name, item in models.items():
        found = max((_likeness(_words(own), _words(name)) for own in names), default=(0, 0))
        likeness[id(item)] = max(found, likeness.get(id(item), (0, 0)))
    most = max(likeness.values(), default=(0, 0))
    best = {id(item): item for item in models.values() if likeness[id(item)] == most}
    return next(iter(best.values())) if most > (0, 0) and len(best) == 1 else None


def _likeness(own: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """How many words two names share, and how many mean the same."""
    return len({*own} & {*other}), sum(any(_mean_the_same(one, word) for word in other) for one in own)


def is_trained(item: Any) -> bool:  # noqa: ANN401
    """Whether an object is a model or layer with something to train."""
    return not is_split(item) and not is_optimizer(item) and bool(getattr(item, "trainable_variables", None))


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_\d]+", spaced.lower()) if word and word not in _SAYS_NOTHING]


def _mean_the_same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def trained_nodes(graph: Any, number: int) -> list[int] | None:  # noqa: ANN401
    """The variables that an optimizer trained, as numbers of nodes of a bundle's object graph, in its order.

    [] for one that had no slots when it was saved; None where the graph does not tell.
    """
    node = graph.nodes[number]
    children = {edge.local_name: edge.node_id for edge in node.children}
    if "_trainable_variables" in children:  # Keras 3
        return [edge.node_id for edge in sorted(graph.nodes[children["_trainable_variables"]].children, key=_place)]
    if node.slot_variables:  # Keras 2's legacy optimizers
        return list(dict.fromkeys(slot.original_variable_node_id for slot in node.slot_variables))
    if "inner_optimizer" in children:
        return trained_nodes(graph, children["inner_optimizer"])
    if "_variables" not in children:
        return []
    return _by_full_names(graph, list(_slot_names(graph, children["_variables"])))


def _place(edge: Any) -> int:  # noqa: ANN401
    return int(edge.local_name) if edge.local_name.isdigit() else -1


def _slot_names(graph: Any, number: int) -> Iterator[str]:  # noqa: ANN401
    """Names of the slots of an optimizer of tf-keras, as `Adam/m/dense/kernel`."""
    for edge in sorted(graph.nodes[number].children, key=_place):
        for attribute in graph.nodes[edge.node_id].attributes:
            if attribute.full_name.rpartition("/")[2] not in _NO_SLOTS:
                yield attribute.full_name


def _by_full_names(graph: Any, slots: Sequence[str]) -> list[int] | None:  # noqa: ANN401
    """The variables by whose names the names of slots end; None where two have one name."""
    named: dict[str, list[int]] = {}
    for number, node in enumerate(graph.nodes):
        for attribute in node.attributes:
            named.setdefault(attribute.full_name, []).append(number)
    found: list[int] = []
    for slot in slots:
        ends = (slot.split("/", cut)[-1] for cut in range(1, slot.count("/") + 1))
        holders = next((named[end] for end in ends if end in named), [])
        if len(holders) != 1:
            return None
        found += holders
    return list(dict.fromkeys(found))
