"""A model, or an optimizer, without variables when its fit() begins: built for the data, so that it can be restored."""

from __future__ import annotations

from typing import Any

from waypoint_resume.fit_frame import RunningFit
from waypoint_resume.log import LOG
from waypoint_resume.objects import has_all_variables, is_never_called, optimizers_in
from waypoint_resume.optimizers import is_built
from waypoint_resume.traced_step import can_trace, stateful_draws, trace_train_step


def build_model(model: Any, fit: RunningFit) -> None:  # noqa: ANN401 - of either Keras
    """Build a model as the first batch would, from the shapes and types of the data: none are read, nothing is trained.

    A model with a train_step of its own may have no call(), and optimizers of its own: what it lacks then is made by
    tracing that step. What cannot be made so is left as it is.
    """
    is_callable = not is_never_called(model)
    if is_callable and not (model.built and has_all_variables(model)):
        _call(model, fit)
    own = getattr(model, "optimizer", None)
    lacks = any(item is not own and not is_built(item) for item in optimizers_in(model))
    if lacks or not has_all_variables(model):
        _trace(model, fit)


def _call(model: Any, fit: RunningFit) -> None:  # noqa: ANN401
    """Build the model by calling it on data of these shapes, if that works; on JAX, fit() has built it before."""
    import tensorflow as tf

    try:
        if fit.generation == 3:
            spec = fit.data.data_adapter.get_tf_dataset().element_spec
            model._symbolic_build(data_batch=spec)  # noqa: SLF001 - no public name
        else:
            x = fit.data._dataset.element_spec  # noqa: SLF001
            x = x[0] if isinstance(x, tuple) else x
            with model.distribute_strategy.scope():
                tf.function(lambda batch: model(batch, training=False)).get_concrete_function(x)
    except Exception as error:  # noqa: BLE001 - a call() of the job's own
        LOG.debug("The model is not built by calling it: %s", error)


def _trace(model: Any, fit: RunningFit) -> None:  # noqa: ANN401
    if not can_trace(model):
        return  # resume() says what it could not build
    try:
        graph = trace_train_step(model, fit)
    except Exception as error:  # noqa: BLE001 - a train_step of the job's own, which fit() is about to trace too
        LOG.warning("The train_step cannot be traced before the first batch: %s: %s", type(error).__name__, error)
        return
    if draws := stateful_draws(graph):
        LOG.warning(
            "This train_step draws with TensorFlow's stateful operations (%s), whose state nobody can read: a job that "
            "is started again draws other numbers. keras.random with a keras.random.SeedGenerator of the model, or a "
            "tf.random.Generator that is a part of it, goes on where it was.",
            ", ".join(draws),
        )
