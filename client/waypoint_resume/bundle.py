"""TensorFlow's bundles, those of SavedModels too, matched with the job's objects."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from waypoint_resume.bundle_weights import BundleWeights
from waypoint_resume.errors import ResumeError
from waypoint_resume.finite import non_finite_names
from waypoint_resume.live import Live
from waypoint_resume.loading import NO_OPTIMIZER_YET, OPTIMIZER_RESTARTS, WEIGHTS_ALONE, LoadPlan
from waypoint_resume.object_graph import match_nodes
from waypoint_resume.objects import (
    COUNTERS,
    children_of,
    is_variable,
    keras_generation,
    keras_package,
    kind_of,
    passes_over,
    slot_meaning,
    value_of,
    variable_name,
    walk_objects,
)
from waypoint_resume.optimizers import trained_nodes

BACKUP_EPOCH, BACKUP_BATCH = "ckpt_saved_epoch", "ckpt_saved_batch"
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def _root_for(names: set[str], live: Live) -> Any:  # noqa: ANN401
    """The object that was saved as the root of a bundle, by the names of its parts."""
    import tensorflow as tf

    if live.checkpoint is not None:
        return live.checkpoint
    if "model" not in names and names != {"optimizer"}:
        return tf.train.Checkpoint(live.model)  # the model itself was saved
    parts = {"model": live.model, "optimizer": getattr(live.model, "optimizer", None)}
    if BACKUP_EPOCH in names:  # BackupAndRestore of Keras 2: where it was lies in variables of its own
        parts |= {name: tf.Variable(0, dtype=tf.int64, name=name) for name in (BACKUP_EPOCH, BACKUP_BATCH)}
        parts["train_counter"] = getattr(live.model, "_train_counter", None)
    return tf.train.Checkpoint(**{name: item for name, item in parts.items() if name in names and item is not None})


class Bundle:
    """A bundle matched with the live objects: node by node, by the names of the edges, as TensorFlow does it."""

    def __init__(self, prefix: str, live: Live, root: Any = None) -> None:  # noqa: ANN401
        import tensorflow as tf
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        self.prefix, self.live = prefix, live
        self.reader = tf.compat.v1.train.NewCheckpointReader(
            prefix
        )  # load_checkpoint takes a slash at the end for a folder
        self.shapes = self.reader.get_variable_to_shape_map()
        self.dtypes = self.reader.get_variable_to_dtype_map()
        if _GRAPH not in self.shapes:
            raise ResumeError(f"{prefix} is TF1's kind, saved by name: restore it with tf.compat.v1.train.Saver.")
        self.graph = TrackableObjectGraph()
        self.graph.ParseFromString(self.reader.get_tensor(_GRAPH))
        names = {edge.local_name for edge in self.graph.nodes[0].children} - {"save_counter"}
        self.root = root if root is not None else _root_for(names, live)
        self.matched: dict[int, Any] = {}
        self.paths: dict[int, str] = {}
        self.pairs: dict[int, tuple[str, Any, int]] = {}

    def _match_all(self) -> None:
        """Match every object, with the optimizers built for what they trained when this was saved."""
        self._match()
        unbuilt = self.live.unbuilt
        for item in unbuilt:
            self._build(item)
        if unbuilt:
            self._match()  # their slots too
        self.pairs = self.pairs_of(self.matched)

    def pairs_of(self, matched: dict[int, Any]) -> dict[int, tuple[str, Any, int]]:
        """Variables by their identity, each with its key in the file and the number of its node."""
        return {
            id(matched[number]): (attribute.checkpoint_key, matched[number], number)
            for number, node in enumerate(self.graph.nodes)
            for attribute in node.attributes
            if number in matched and is_variable(matched[number])
        }

    def _build(self, optimizer: Any) -> None:  # noqa: ANN401
        """Make an optimizer's slots for what it trained when this was saved."""
        numbers = [number for number, item in self.matched.items() if item is optimizer]
        trained = trained_nodes(self.graph, numbers[0]) if numbers else None
        variables = [self.matched.get(number) for number in trained or ()]
        if trained is None or any(item is None for item in variables):
            self.live.build_by_name(optimizer)
        elif variables:
            self.live.build(optimizer, variables)

    def _match(self) -> None:
        self.matched, self.paths = match_nodes(self.graph, self.root)
        for number, node in enumerate(self.graph.nodes):
            for slot in node.slot_variables:  # Keras 2's legacy optimizers
                path = f"{self.paths.get(number, number)}/{slot.slot_name}"
                self.paths.setdefault(slot.slot_variable_node_id, f"{path}/{slot.original_variable_node_id}")
                owner, original = self.matched.get(number), self.matched.get(slot.original_variable_node_id)
                if owner is not None and not hasattr(owner, "get_slot_names"):
                    kind = type(getattr(owner, "inner_optimizer", None) or owner).__name__
                    package = keras_package(owner) if keras_generation(owner) == 2 else "tf_keras"
                    raise ResumeError(
                        f"{self.prefix} was saved with a legacy optimizer of Keras 2, and the job's {kind} is none: "
                        f"compile with {package}.optimizers.legacy.{kind} (or whichever it was), or take the weights "
                        "alone: weights_only=True."
                    )
                if owner is None or original is None or slot.slot_name not in owner.get_slot_names():
                    continue
                with contextlib.suppress(KeyError):  # not built yet
                    self.matched[slot.slot_variable_node_id] = owner.get_slot(original, slot.slot_name)

    def plan(self, *, weights_only: bool = False) -> LoadPlan:
        """Compare everything, or the weights alone: also where the job has a model that is not compiled."""
        weights = BundleWeights(self)
        is_uncompiled = self.live.checkpoint is None and not self.live.optimizers
        if weights_only or (is_uncompiled and weights.has_optimizers):
            plan = weights.plan()
            plan.restarts, plan.weights_only = (WEIGHTS_ALONE, True) if weights_only else (NO_OPTIMIZER_YET, False)
            return plan
        self._match_all()
        own = [self._own(item) for item in self.live.optimizers]
        differences, passed = self._unexpected()
        notes = []
        for key, variable, _ in self.pairs.values():
            wanted, held = kind_of(variable.shape, variable.dtype), kind_of(self.shapes[key], self.dtypes[key])
            if wanted != held:
                differences.append(
                    f"shape or dtype: {variable_name(variable)} is {wanted} in the model, {held} in the file"
                )
        without = [mine for mine in own if not any(id(item) in self.pairs for item in mine)]
        absent = {id(item) for mine in without for item in mine}
        if any(without):
            notes.append(OPTIMIZER_RESTARTS)
        for path, item in [*walk_objects(self.root), *((variable_name(item), item) for mine in own for item in mine)]:
            if not is_variable(item) or id(item) in self.pairs or id(item) in absent or path == "save_counter":
                continue
            absent.add(id(item))
            if passes_over(path):
                passed += 1
            else:
                differences.append(f"missing from the file: {path}, {kind_of(item.shape, item.dtype)}")
        if passed:
            notes.append(f"{passed} values of metrics are not restored: every epoch begins them anew.")
        differences += self._slots([item for mine in own for item in mine])
        weights_fit = not weights.differences()
        if weights_fit:
            differences = [*weights.changes(has_others=bool(differences)), *differences]
        return LoadPlan(
            load=self._load,
            check=self._check,
            read=self._read,
            non_finite=self._non_finite,
            differences=differences,
            notes=notes,
            step=self._step([item for mine in own for item in mine]),
            has_optimizer=any(id(item) in self.pairs for mine in own for item in mine),
            learning_rates=weights.learning_rates(),
            weights_fit=weights_fit,
        )

    def _unexpected(self) -> tuple[list[str], int]:
        """What the file alone holds; and how many values of metrics are among that."""
        differences, passed = [], 0
        for number, node in enumerate(self.graph.nodes):
            path = self.paths.get(number, str(number))
            for attribute in node.attributes if number not in self.matched else ():
                if path == "save_counter" or "_random_generator" in path.split("/"):
                    continue  # a layer's generator, which a SavedModel alone holds; its state is kept beside it
                if passes_over(path):
                    passed += 1
                    continue
                key = attribute.checkpoint_key
                differences.append(f"unexpected: {path}, {kind_of(self.shapes.get(key, ()), self.dtypes.get(key))}")
        return differences, passed

    def _own(self, optimizer: Any) -> list[Any]:  # noqa: ANN401
        """An optimizer's own variables, without what it trains."""
        found = [
            item for path, item in walk_objects(optimizer) if is_variable(item) and "_trainable_variables" not in path
        ]
        trained = {id(item) for model in self.live.models for item in model.trainable_variables}
        legacy = getattr(optimizer, "_slots", {})  # by variable and by name; no object of the graph
        found += [slot for slots in legacy.values() for slot in slots.values()]
        return [item for item in found if id(item) not in trained]

    def _trained(self) -> list[Any]:
        return [item for model in self.live.models for item in model.trainable_variables]

    def _slots(self, own: list[Any]) -> list[str]:
        """Optimizer variables that have another meaning in the file: momentum where the model has velocity."""
        mine = {id(item) for item in own}
        full = {number: node.attributes[0].full_name for number, node in enumerate(self.graph.nodes) if node.attributes}
        here = [variable_name(item) for item in self._trained()]
        there = [full[number] for key, item, number in self.pairs.values() if id(item) not in mine]
        found = []
        for _, item, number in self.pairs.values():
            if id(item) in mine:
                wanted, held = slot_meaning(variable_name(item), here), slot_meaning(full[number], there)
                if wanted and held and wanted != held:
                    found.append(f"slot: {variable_name(item)} is {wanted!r} in the model, {held!r} in the file")
        return found

    def _step(self, own: list[Any]) -> int | None:
        names = {id(item): path for path, item in walk_objects(self.root)}
        counters = [item for item in own if names.get(id(item), "").rpartition("/")[2] in (*COUNTERS, "0")]
        counters = [item for item in counters if not tuple(item.shape) and "int" in str(item.dtype)]
        values = [int(self.reader.get_tensor(self.pairs[id(item)][0])) for item in counters if id(item) in self.pairs]
        if not values:
            steps = [item for name in ("step", "global_step") if (item := children_of(self.root).get(name)) is not None]
            values = [int(self.reader.get_tensor(self.pairs[id(item)][0])) for item in steps if id(item) in self.pairs]
        return max(values, default=None)

    def _read(self) -> None:
        for key, dtype in self.dtypes.items():
            if dtype.name != "variant":
                self.reader.get_tensor(key)

    def _non_finite(self) -> list[str]:
        return non_finite_names(
            (variable_name(variable), self.reader.get_tensor(key), partial(value_of, variable))
            for key, variable, number in self.pairs.values()
            if not passes_over(self.paths.get(number, ""))
        )

    def _load(self) -> None:
        is_whole = self.root is self.live.checkpoint
        (self.root.restore if is_whole else self.root.read)(self.prefix).expect_partial()

    def _check(self) -> list[str]:
        wrong = []
        for key, variable, _ in self.pairs.values():
            if self.reader.get_tensor(key).tobytes() != value_of(variable).tobytes():
                wrong.append(variable_name(variable))
        return wrong
