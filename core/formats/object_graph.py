"""Which stored tensors are weights, which are optimizer state: read off the object graph of a TF2 checkpoint.

The graph has no class names and the keys lie: with `Checkpoint(model=m, optimizer=m.optimizer)` Keras 3's weights are
stored under `optimizer/_trainable_variables/N`, since the optimizer's path is the shortest. So the graph is walked:

- an *optimizer node* has `_iterations` or `iter` together with a child that only optimizers have beside it (a learning
  rate that is a schedule leaves none, so others are known too), or owns slot variables, or has an `inner_optimizer`;
- what an optimizer lists under `_trainable_variables` is a weight, always;
- else a weight is a float or complex tensor that is reachable without passing an optimizer node and is not a known
  counter, metric, learning rate, random generator state or table;
- what only an optimizer reaches is optimizer state; the rest is other.

Source: tensorflow/core/protobuf/trackable_object_graph.proto; a test asks Keras and TensorFlow themselves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from core.base.errors import CorruptError, TooLargeError
from core.base.facts import Role
from core.formats.wire.trackable_object_graph_pb2 import TrackableObjectGraph

MAX_NODES = 300_000
MAX_LINKS = 750_000  # children, stored values and slots of all nodes
_MAX_EMPTY = 500_000  # an empty message has two bytes in the file, its length being 0, and about 70 in memory
VALUE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_ITERATIONS = ("_iterations", "iter")
# Beside a counter these tell an optimizer: learning rates, Keras' lists of its variables, a legacy optimizer's `decay`.
_TELLING = {"_learning_rate", "learning_rate", "_current_learning_rate", "_trainable_variables", "_variables", "decay"}
_TRAINABLE = "_trainable_variables"
_INNER = "inner_optimizer"
_ACCUMULATED = "_accumulated_gradients"  # Keras 3's optimizers have a list of them, empty where each batch is a step
_SAVES = "save_counter"
# Children of models that hold metrics, losses and the like; floats below them are no weights.
_NOT_MODEL = {
    "keras_api",
    "metrics",
    "_metrics",
    "compiled_metrics",
    "_compile_metrics",
    "compiled_loss",
    "_compile_loss",
}
_NOT_MODEL |= {"_loss_tracker", "loss_tracker", "_metric", "_tracker", "metric"}
# What metrics count, whatever its shape.
_METRICS = {f"{verdict}_{kind}" for verdict in ("true", "false") for kind in ("positives", "negatives")}
_METRICS |= {"total_cm", "total_confusion_matrix"}
# Float scalars that training loops and metrics keep beside the model.
_BOOKKEEPING = {"learning_rate", "_learning_rate", "lr", "best", "loss", "epoch", "step", "global_step", "epsilon"}
_BOOKKEEPING |= {"total", "count"}
_BOOKKEEPING_STEMS = ("best_", "lowest_", "highest_", "last_", "total_loss", "val_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Keys of the tensors that count, in order of trust: each tuple may be empty. `batches` are those of the iterations
    that count batches, of which several make a step (gradients are accumulated): of how many, no checkpoint tells.
    """

    iterations: tuple[str, ...] = ()
    global_step: tuple[str, ...] = ()
    step: tuple[str, ...] = ()
    epoch: tuple[str, ...] = ()
    save_counter: tuple[str, ...] = ()
    batches: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRoles:
    """What a graph says of a checkpoint's keys; those that are neither weights nor optimizer state are other."""

    weights: frozenset[str]
    optimizer: frozenset[str]
    has_optimizer: bool
    counters: Counters

    def role(self, key: str) -> Role:
        """The role of one stored tensor."""
        if key in self.weights:
            return Role.WEIGHT
        return Role.OPTIMIZER if key in self.optimizer else Role.OTHER


@dataclass(slots=True)
class _Node:
    """A graph node, with its children by local name."""

    children: dict[str, int]
    keys: dict[str, str]  # checkpoint key → full name
    slots: tuple[int, ...]

    @property
    def is_optimizer(self) -> bool:
        names = self.children
        return bool(
            self.slots or _INNER in names or (any(n in names for n in _ITERATIONS) and not _TELLING.isdisjoint(names))
        )


def parse_graph(data: bytes) -> TrackableObjectGraph:
    """The message in a graph tensor's bytes. CorruptError where it is none, or points at nodes that do not exist."""
    if data.count(0) > _MAX_EMPTY:
        raise TooLargeError("too many parts of it are empty", section="object graph")
    graph = TrackableObjectGraph()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        raise CorruptError("not a TrackableObjectGraph", section="object graph") from error
    count = len(graph.nodes)
    if count > MAX_NODES:
        raise TooLargeError(f"{count:,} nodes, more than {MAX_NODES:,}", section="object graph")
    links = sum(len(node.children) + len(node.attributes) + len(node.slot_variables) for node in graph.nodes)
    if links > MAX_LINKS:
        raise TooLargeError(f"{links:,} links, more than {MAX_LINKS:,}", section="object graph")
    for number, node in enumerate(graph.nodes):
        pointed = [child.node_id for child in node.children] + [
            slot.slot_variable_node_id for slot in node.slot_variables
        ]
        if any(not 0 <= target < count for target in pointed):
            raise CorruptError(f"node {number} points beyond the {count} nodes", section="object graph")
    return graph


def graph_roles(
    graph: TrackableObjectGraph, is_trainable: Callable[[str], bool], is_scalar: Callable[[str], bool]
) -> GraphRoles:
    """Roles of every key in the graph; `is_trainable(key)` tells whether its dtype is float or complex."""
    nodes = [
        _Node(
            children={child.local_name: child.node_id for child in node.children},
            keys={
                attribute.checkpoint_key: attribute.full_name
                for attribute in node.attributes
                if attribute.checkpoint_key
            },
            slots=tuple(slot.slot_variable_node_id for slot in node.slot_variables),
        )
        for node in graph.nodes
    ]
    optimizers = [number for number, node in enumerate(nodes) if node.is_optimizer]
    lists = [nodes[number].children[_TRAINABLE] for number in optimizers if _TRAINABLE in nodes[number].children]
    trained = _below(nodes, lists, lambda _node, _name: True)
    opened = set(optimizers)
    starts = _starts(nodes, opened)
    free = _below(nodes, starts, lambda node, _name: node not in opened)
    modelled = _below(nodes, starts, lambda node, name: node not in opened and name not in _NOT_MODEL)
    owned = _below(nodes, optimizers, lambda _node, _name: True) - free
    names = _local_names(nodes)
    weights: set[str] = set()
    for number in modelled | trained:
        local = names[number] if nodes[number].keys else ()
        is_metric, is_bookkeeping = any(map(_is_metric, local)), any(map(_is_bookkeeping, local))
        for key, full_name in nodes[number].keys.items():
            last = full_name.rsplit("/", 1)[-1]
            beside = is_metric or _is_metric(last) or (is_scalar(key) and (is_bookkeeping or _is_bookkeeping(last)))
            if is_trainable(key) and (number in trained or not beside):
                weights.add(key)
    state = {key for number in owned for key in nodes[number].keys} - weights
    return GraphRoles(
        weights=frozenset(weights),
        optimizer=frozenset(state),
        has_optimizer=bool(optimizers),
        counters=_counters(nodes, optimizers, free, names),
    )


def _starts(nodes: list[_Node], optimizers: set[int]) -> list[int]:
    """Where the walk past the optimizers begins. `Checkpoint(optimizer)` makes the optimizer itself the root, and hangs
    its counter of saves there.
    """
    if nodes and 0 in optimizers:
        return [target for name, target in nodes[0].children.items() if name == _SAVES]
    return [0] if nodes else []


def _below(nodes: list[_Node], starts: Iterable[int], may_enter: Callable[[int, str], bool]) -> set[int]:
    """Every node reachable from `starts` over children and slots that `may_enter(node, local name)` allows."""
    seen = set(starts)
    waiting = list(seen)
    while waiting:
        node = nodes[waiting.pop()]
        for name, target in (*node.children.items(), *(("", slot) for slot in node.slots)):
            if target not in seen and may_enter(target, name):
                seen.add(target)
                waiting.append(target)
    return seen


def _local_names(nodes: list[_Node]) -> list[set[str]]:
    names: list[set[str]] = [set() for _ in nodes]
    for node in nodes:
        for name, target in node.children.items():
            names[target].add(name)
    return names


def _is_metric(name: str) -> bool:
    return name in _METRICS


def _is_bookkeeping(name: str) -> bool:
    return name in _BOOKKEEPING or name.startswith(_BOOKKEEPING_STEMS)


def _counters(nodes: list[_Node], optimizers: list[int], free: set[int], names: list[set[str]]) -> Counters:
    counters: dict[int, None] = {}  # nodes, each once: many optimizers may point at one that has many values
    for number in optimizers:
        node = nodes[number]
        if _INNER in node.children and nodes[node.children[_INNER]].is_optimizer:
            continue  # under mixed precision the outer counter stays 0: the inner one counts
        counters.update((node.children[name], None) for name in _ITERATIONS if name in node.children)
    iterations = [key for number in counters for key in nodes[number].keys]
    batches = {nodes[number].children[name] for number in optimizers for name in _counting_batches(nodes, number)}

    def named(*wanted: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                key
                for number in free
                for key, full_name in nodes[number].keys.items()
                if names[number] & set(wanted) or full_name.split(":")[0] in wanted
            )
        )

    return Counters(
        iterations=tuple(dict.fromkeys(iterations)),
        global_step=named("global_step"),
        step=named("step"),
        epoch=named("epoch", "ckpt_saved_epoch"),
        save_counter=named(_SAVES),
        batches=frozenset(key for number in batches for key in nodes[number].keys),
    )


def _counting_batches(nodes: list[_Node], optimizer: int) -> list[str]:
    """The names of an optimizer's counters, if it accumulates gradients."""
    children = nodes[optimizer].children
    gradients = children.get(_ACCUMULATED)
    if gradients is None or not nodes[gradients].children:
        return []
    return [name for name in _ITERATIONS if name in children]
