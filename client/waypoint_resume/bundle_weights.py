"""The weights of a TensorFlow bundle alone: matched without the optimizers, for those reach weights by other places
where other layers are trained.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from waypoint_resume.finite import non_finite_names
from waypoint_resume.freezing import changed_by_variables, told_changes, told_other_optimizer
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.object_graph import match_nodes, optimizer_nodes
from waypoint_resume.objects import (
    COUNTERS,
    is_model,
    is_variable,
    kind_of,
    passes_over,
    value_of,
    variable_name,
    walk_objects,
)
from waypoint_resume.optimizers import trained_nodes

if TYPE_CHECKING:
    from waypoint_resume.bundle import Bundle

_RATES = frozenset({"learning_rate", "_learning_rate"})


class BundleWeights:
    """A bundle whose weights are matched with the job's, and nothing else of it."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle, self._live, self._graph = bundle, bundle.live, bundle.graph
        self._optimizers = optimizer_nodes(self._graph)
        self._matched, self._paths = match_nodes(self._graph, bundle.root, self._optimizers)
        wanted = {id(item) for item in weights_of(self._live, bundle.root)}
        self.pairs = {key: pair for key, pair in bundle.pairs_of(self._matched).items() if key in wanted}
        self._model_paths = {self._paths[number] for number, item in self._matched.items() if is_model(item)}

    @property
    def has_optimizers(self) -> bool:
        """Whether the file holds an optimizer."""
        return bool(self._optimizers)

    def plan(self) -> LoadPlan:
        """How the weights would be loaded."""
        return LoadPlan(
            load=self._load,
            check=self._check,
            read=self._read,
            non_finite=self._non_finite,
            differences=self.differences(),
            notes=[],
            step=self._step(),
            has_optimizer=False,
            learning_rates=self.learning_rates(),
        )

    def differences(self) -> list[str]:
        """What is missing from the file, or of another kind, and what of a model is in the file alone."""
        found, shapes, dtypes = [], self._bundle.shapes, self._bundle.dtypes
        for number, node in enumerate(self._graph.nodes):
            for attribute in node.attributes if self._is_of_model(number) and number not in self._matched else ():
                key = attribute.checkpoint_key
                found.append(f"unexpected: {self._paths[number]}, {kind_of(shapes.get(key, ()), dtypes.get(key))}")
        for key, variable, _ in self.pairs.values():
            wanted, held = kind_of(variable.shape, variable.dtype), kind_of(shapes[key], dtypes[key])
            if wanted != held:
                found.append(f"shape or dtype: {variable_name(variable)} is {wanted} in the model, {held} in the file")
        for item in weights_of(self._live, self._bundle.root):
            if id(item) not in self.pairs:
                kind = kind_of(item.shape, item.dtype)
                found.append(f"missing from the file: {variable_name(item)}, {kind}")
        return found

    def changes(self, *, has_others: bool) -> list[str]:
        """Which layers the file's optimizers trained and the job's do not, or the reverse; and optimizers of another
        class. [] where that is not told: `has_others`, that something else differs, lets flags count that a job may
        have set after it made its optimizer.
        """
        numbers = [trained_nodes(self._graph, number) for number in sorted(self._optimizers)]
        was = {number for known in numbers for number in known or ()}
        found = self._other_optimizers()
        if None in numbers or not was or any(number not in self._matched for number in was):
            return found
        then, (now, is_sure) = {id(self._matched[number]) for number in was}, self._trained_now()
        if not (is_sure or has_others or len(now) == len(then)):
            return found
        return [*found, *told_changes(changed_by_variables(then, now, self._live.models))]

    def learning_rates(self) -> list[float]:
        """The learning rates in the file."""
        keys = []
        for number in self._optimizers:
            for edge in self._graph.nodes[number].children:
                if edge.local_name in _RATES:
                    keys += [attribute.checkpoint_key for attribute in self._graph.nodes[edge.node_id].attributes]
        return [float(self._bundle.reader.get_tensor(key)) for key in dict.fromkeys(keys)]

    def _other_optimizers(self) -> list[str]:
        """A sentence where the one optimizer of the job has another class than the one in the file."""
        first = [
            attribute.full_name
            for number in sorted(self._optimizers)
            for edge in self._graph.nodes[number].children
            for inner in (edge.node_id, *(child.node_id for child in self._graph.nodes[edge.node_id].children))
            if edge.local_name != "_trainable_variables"
            for attribute in self._graph.nodes[inner].attributes
        ]
        slots = [slot for number in self._optimizers for slot in self._graph.nodes[number].slot_variables]
        first += [a.full_name for slot in slots for a in self._graph.nodes[slot.slot_variable_node_id].attributes]
        names = {name.partition("/")[0].lower() for name in first if "/" in name}
        mine = self._live.only_optimizer()
        if mine is None or len(names) != 1:
            return []
        return told_other_optimizer(mine, next(iter(names)))

    def _trained_now(self) -> tuple[set[int], bool]:
        """The variables that the job trains, by their identities, and whether its optimizers say so themselves."""
        inner = [getattr(item, "inner_optimizer", None) or item for item in self._live.optimizers]
        known = [getattr(item, "_trainable_variables", None) for item in inner]
        is_sure = bool(known) and all(known)
        if not is_sure:
            known = [model.trainable_variables for model in self._live.models]
        return {id(variable) for variables in known for variable in variables or ()}, is_sure

    def _step(self) -> int | None:
        """The greatest count of steps of an optimizer in the file."""
        keys = [
            attribute.checkpoint_key
            for number in self._optimizers
            for edge in self._graph.nodes[number].children
            if edge.local_name in COUNTERS
            for attribute in self._graph.nodes[edge.node_id].attributes
        ]
        return max((int(self._bundle.reader.get_tensor(key)) for key in keys), default=None)

    def _is_of_model(self, number: int) -> bool:
        """Whether a node lies in a model of the job, and is no metric and no optimizer's."""
        path = self._paths.get(number)
        if path is None or passes_over(path):
            return False
        parts = path.split("/")
        return any("/".join(parts[:end]) in self._model_paths for end in range(len(parts)))

    def _read(self) -> None:
        for key, _, _ in self.pairs.values():
            self._bundle.reader.get_tensor(key)

    def _non_finite(self) -> list[str]:
        return non_finite_names(
            (variable_name(variable), self._bundle.reader.get_tensor(key), partial(value_of, variable))
            for key, variable, _ in self.pairs.values()
        )

    def _load(self) -> None:
        for key, variable, _ in self.pairs.values():
            variable.assign(self._bundle.reader.get_tensor(key))

    def _check(self) -> list[str]:
        theirs = ((self._bundle.reader.get_tensor(key), item) for key, item, _ in self.pairs.values())
        return [variable_name(item) for value, item in theirs if value.tobytes() != value_of(item).tobytes()]


def weights_of(live: Live, root: Any) -> list[Any]:  # noqa: ANN401
    """The variables that are a job's weights: its models', without optimizers and metrics; of a job without models all
    that are no optimizer's and no counters.
    """
    others = {
        id(item)
        for optimizer in live.optimizers
        for path, item in walk_objects(optimizer)
        if is_variable(item) and "_trainable_variables" not in path
    }
    tops = live.models or [root]
    found = {
        id(item): item
        for top in tops
        for path, item in walk_objects(top)
        if is_variable(item) and not passes_over(path) and id(item) not in others
    }
    if live.models:
        return list(found.values())
    return [item for item in found.values() if tuple(item.shape) or "int" not in str(item.dtype)]
