"""A model that has no variables yet when its fit() begins: built for the data, so that it can be restored."""

from __future__ import annotations

from typing import Any

from waypoint_resume.fit_frame import RunningFit


def build_model(model: Any, fit: RunningFit) -> None:  # noqa: ANN401 - of either Keras
    """Build a model as the first batch would, from the shapes and types of the data: none are read."""
    if model.built and all(layer.built for layer in model._flatten_layers()):  # noqa: SLF001 - no public name
        return
    import tensorflow as tf

    if fit.generation == 3:  # on JAX, fit() has built it before
        spec = fit.data.data_adapter.get_tf_dataset().element_spec
        model._symbolic_build(data_batch=spec)  # noqa: SLF001
        return
    x = fit.data._dataset.element_spec  # noqa: SLF001
    x = x[0] if isinstance(x, tuple) else x

    def trace(batch: Any) -> Any:  # noqa: ANN401
        return model(batch, training=False)

    with model.distribute_strategy.scope():
        tf.function(trace).get_concrete_function(x)
