"""The objects of the job into which a checkpoint is restored."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.fit_order import FitOrder
from waypoint_resume.jobs import cluster_task
from waypoint_resume.objects import (
    children_of,
    has_all_variables,
    is_model,
    is_optimizer,
    is_variable,
    keras_backend,
    optimizers_in,
    sync_variables,
    walk_objects,
)
from waypoint_resume.optimizers import build, is_built, is_trained, owner_by_name

_BACKENDS = ("tensorflow", "jax")


class Live:
    """The objects of the job, with their optimizers built, so that no state is dropped for want of a place.

    `root` is the trackable object above all of them; None where Keras runs on JAX, which has none: there a Keras model
    is all that can be restored into, and TensorFlow is not imported.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        checkpoint: Any,  # noqa: ANN401
        manager: Any,  # noqa: ANN401
        optimizer: Any,  # noqa: ANN401
        callbacks: Sequence[Any] = (),
        order: FitOrder | None = None,
    ) -> None:
        self.model, self.manager, self.callbacks, self.order = model, manager, callbacks, order
        self.checkpoint = manager.checkpoint if manager is not None else checkpoint
        if model is None and self.checkpoint is None:
            raise ResumeError("Nothing to restore into: pass model=, checkpoint= or manager= to resume().")
        self.backend = keras_backend(model) or "tensorflow"
        self._require_backend()
        # Variables are made here, before the chief chooses: under a strategy all workers must make them together.
        with contextlib.suppress(AttributeError):
            self.checkpoint.save_counter  # noqa: B018 - makes it, so that it is restored
        self.root = _trackable_root(model, optimizer, self.checkpoint) if self.backend == "tensorflow" else None
        objects = [item for _, item in walk_objects(self.root)] if self.root is not None else [model, optimizer]
        self.models = [item for item in objects if is_model(item)]
        for item in self.models:
            if hasattr(item, "fit") and not has_all_variables(item):
                raise ResumeError(
                    f"The model {item.name} has no variables yet: call it on a batch, or model.build(input_shape), "
                    "before resume()."
                )
        self.optimizers = [item for item in objects if is_optimizer(item)]
        held = optimizers_in(model) if model is not None else []
        self.optimizers += [item for item in held if all(item is not other for other in self.optimizers)]
        inner = {id(getattr(item, "inner_optimizer", None)) for item in self.optimizers}
        self.optimizers = [item for item in self.optimizers if id(item) not in inner]
        self._built: set[int] = set()
        for item in self.unbuilt:
            self._build_if_clear(item)

    def _require_backend(self) -> None:
        """ResumeError where what was passed cannot be restored into, whatever lies in the run."""
        if self.backend not in _BACKENDS:
            raise ResumeError(
                f"Keras runs on {self.backend} here, and this client restores on {' and '.join(_BACKENDS)}: set "
                "KERAS_BACKEND to one of them, or load by hand with model.load_weights. Nothing was loaded."
            )
        if self.backend != "tensorflow" and self.checkpoint is not None:
            raise ResumeError(
                f"Keras runs on {self.backend} here, and a tf.train.Checkpoint holds nothing of such a model: save "
                "with model.save_weights or OrbaxCheckpoint, and pass model= alone to resume(). Nothing was loaded."
            )

    def _build_if_clear(self, optimizer: Any) -> None:  # noqa: ANN401
        """Make an optimizer's slots where it is clear without a checkpoint what it trains."""
        owners = [item for item in self.models if getattr(item, "optimizer", None) is optimizer]
        if not owners:
            whole, beside = self._place_of(optimizer)
            models = {id(item): item for item in beside.values() if not is_optimizer(item)}
            owners = list(models.values()) or [item for item in (whole,) if item is not None]
        if len(owners) == 1:
            self.build(optimizer, owners[0].trainable_variables)
        elif cluster_task()[3] > 1:  # all workers make their variables together, before the chief chooses
            self.build_by_name(optimizer)

    def _place_of(self, optimizer: Any) -> tuple[Any, Mapping[str, Any]]:  # noqa: ANN401
        """What an optimizer is a part of, a model or None, and the optimizers and models that are parts beside it."""
        parts = {} if self.checkpoint is None else children_of(self.checkpoint)
        groups = [(self.model, {name: item for name, item in parts.items() if is_optimizer(item) or is_trained(item)})]
        for model in self.models:
            own = {name: item for name, item in vars(model).items() if not name.startswith("_")}
            inner = {name: item for name, item in own.items() if is_optimizer(item) or hasattr(item, "fit")}
            groups.append((model, inner))
        holding = (group for group in groups if any(item is optimizer for item in group[1].values()))
        return next(holding, (self.model, {}))

    def build_by_name(self, optimizer: Any) -> None:  # noqa: ANN401
        """Make an optimizer's slots for the model whose name it bears; ResumeError if that cannot be told."""
        owner = self._owner(optimizer)
        if owner is None:
            raise ResumeError(
                f"What the optimizer {getattr(optimizer, 'name', optimizer)} trains cannot be told: call "
                "optimizer.build(variables) before resume(), or its state would be dropped without a word."
            )
        self.build(optimizer, owner.trainable_variables)

    def _owner(self, optimizer: Any) -> Any:  # noqa: ANN401
        return owner_by_name(optimizer, self._place_of(optimizer)[1])

    @property
    def unclear(self) -> list[str]:
        """The optimizers whose state no later start can fill from a Keras file that this job saves, for nothing tells
        what they train. A bundle tells it by itself.
        """
        if self.checkpoint is not None:
            return []
        return [str(getattr(item, "name", item)) for item in self.unbuilt if self._owner(item) is None]

    @property
    def unbuilt(self) -> list[Any]:
        """The optimizers without slots, of which a bundle tells what they train, and else their names."""
        return [item for item in self.optimizers if not is_built(item) and id(item) not in self._built]

    def build(self, optimizer: Any, variables: Sequence[Any]) -> None:  # noqa: ANN401
        """Make an optimizer's slots for the variables that it trains, in their order."""
        build(optimizer, variables)
        self._built.add(id(optimizer))  # one without slots does not tell by itself

    def build_by_names(self) -> None:
        """Make the slots of all optimizers; ResumeError if it cannot be told what one of them trains."""
        for item in self.unbuilt:
            self.build_by_name(item)

    def variables(self) -> list[Any]:
        """Everything that a restore may change, each once."""
        found = [item for _, item in walk_objects(self.root) if is_variable(item)] if self.root is not None else []
        for item in self.models:
            sync_variables(item)
        for item in (*self.models, *self.optimizers):
            own = getattr(item, "variables", ())
            found += own() if callable(own) else own
        return list({id(item): item for item in found}.values())

    def only_optimizer(self) -> Any:  # noqa: ANN401
        """The one whose settings are overridden, the innermost of a wrapped one; None unless there is exactly one."""
        if len(self.optimizers) != 1:
            return None
        return getattr(self.optimizers[0], "inner_optimizer", None) or self.optimizers[0]


def _trackable_root(model: Any, optimizer: Any, checkpoint: Any) -> Any:  # noqa: ANN401
    """A tf.train.Checkpoint of all that was passed. ResumeError where that cannot be made."""
    given = {"model": model, "optimizer": optimizer, "checkpoint": checkpoint}
    given = {name: item for name, item in given.items() if item is not None}
    try:
        import tensorflow as tf

        return tf.train.Checkpoint(**given)
    except (ModuleNotFoundError, ValueError) as error:  # no TensorFlow; an object that it does not know
        kinds = ", ".join(f"{name}= a {type(item).__name__}" for name, item in given.items())
        raise ResumeError(
            f"Nothing can be restored into what resume() was given ({kinds}): {error}. Pass a Keras model, a "
            "tf.train.Checkpoint or a CheckpointManager."
        ) from error
