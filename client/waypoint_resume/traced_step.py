"""A train_step traced by TensorFlow: it makes every variable that its first batch would make, and runs nothing."""

from __future__ import annotations

from typing import Any

from waypoint_resume.fit_frame import RunningFit

_STATEFUL_DRAWS = frozenset(
    {
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "TruncatedNormal",
        "ParameterizedTruncatedNormal",
        "RandomShuffle",
        "RandomGamma",
        "RandomPoissonV2",
        "Multinomial",
    }
)


def data_spec(fit: RunningFit) -> Any:  # noqa: ANN401 - of TensorFlow
    """Shapes and types of a batch of fit()'s data."""
    data = fit.data._distributed_dataset if fit.generation == 3 else fit.data._dataset  # noqa: SLF001 - no public name
    return data.element_spec


def can_trace(model: Any) -> bool:  # noqa: ANN401
    """Whether fit() itself is about to trace this step, on one device. A step that runs eagerly may not be traceable,
    and where tracing fails it leaves optimizers with variables that have no values.
    """
    strategy = getattr(model, "distribute_strategy", None)  # of Keras on TensorFlow alone
    return type(strategy).__name__ == "_DefaultDistributionStrategy" and not model.run_eagerly


def trace_train_step(model: Any, fit: RunningFit) -> Any:  # noqa: ANN401
    """The graph of a model's train_step for the data of its fit(). Raises whatever tracing the step raises."""
    import tensorflow as tf

    strategy = model.distribute_strategy
    with strategy.scope():
        step = tf.function(lambda batch: strategy.run(model.train_step, args=(batch,)))
        return step.get_concrete_function(data_spec(fit)).graph


def stateful_draws(graph: Any) -> list[str]:  # noqa: ANN401
    """The kinds of operations in a graph, and in the functions that it calls, whose random state lies in TensorFlow's
    kernels, where nobody can read it.
    """
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    return sorted({node.op for node in nodes} & _STATEFUL_DRAWS)
