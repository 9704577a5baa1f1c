"""The objects of the job into which a checkpoint is restored."""

from __future__ import annotations

import contextlib
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.objects import (
    children_of,
    is_model,
    is_optimizer,
    is_variable,
    keras_backend,
    sync_variables,
    walk_objects,
)

_BACKENDS = ("tensorflow", "jax")


class Live:
    """The objects of the job, with their optimizers built, so that no state is dropped for want of a place.

    `root` is the trackable object above all of them; None where Keras runs on JAX, which has none: there a Keras model
    is all that can be restored into, and TensorFlow is not imported.
    """

    def __init__(self, model: Any, checkpoint: Any, manager: Any, optimizer: Any) -> None:  # noqa: ANN401
        self.model, self.manager = model, manager
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
            if hasattr(item, "fit") and not item.built:
                raise ResumeError(
                    f"The model {item.name} has no variables yet: call it on a batch, or model.build(input_shape), "
                    "before resume()."
                )
        self.optimizers = [item for item in objects if is_optimizer(item)]
        if model is not None and getattr(model, "optimizer", None) is not None:
            self.optimizers += [model.optimizer] if all(model.optimizer is not o for o in self.optimizers) else []
        inner = {id(getattr(item, "inner_optimizer", None)) for item in self.optimizers}
        self.optimizers = [item for item in self.optimizers if id(item) not in inner]
        for item in self.optimizers:
            self._build(item)

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

    def _build(self, optimizer: Any) -> None:  # noqa: ANN401
        """Make an optimizer's slots for what it trains; ResumeError if that cannot be told."""
        if getattr(optimizer, "built", False) or getattr(optimizer, "_built", False):
            return
        owners = [item for item in self.models if getattr(item, "optimizer", None) is optimizer]
        named = list(children_of(self.checkpoint).values()) if self.checkpoint is not None else []
        owners = owners or [item for item in (self.model, *named) if any(item is model for model in self.models)]
        owners = [item for number, item in enumerate(owners) if all(item is not former for former in owners[:number])]
        if len(owners) != 1:
            raise ResumeError(
                f"What the optimizer {getattr(optimizer, 'name', optimizer)} trains cannot be told: call "
                "optimizer.build(variables) before resume(), or its state would be dropped without a word."
            )
        if hasattr(optimizer, "build"):
            optimizer.build(list(owners[0].trainable_variables))
        elif hasattr(optimizer, "_create_all_weights"):  # an optimizer of Keras 2's legacy kind
            optimizer._create_all_weights(owners[0].trainable_variables)  # noqa: SLF001 - no public name

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
