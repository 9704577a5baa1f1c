"""Metrics built before the first batch, so that their sums of an epoch's earlier batches have a place."""

from __future__ import annotations

from typing import Any

from waypoint_resume.fit_frame import RunningFit
from waypoint_resume.traced_step import data_spec


def build_metrics(model: Any, fit: RunningFit) -> None:  # noqa: ANN401
    """Let TensorFlow trace a test step, which makes what losses and metrics keep and runs nothing.

    Raises whatever a model's own test step raises. On JAX fit() has built them by itself.
    """
    import tensorflow as tf

    tf.function(model.test_step).get_concrete_function(data_spec(fit))
