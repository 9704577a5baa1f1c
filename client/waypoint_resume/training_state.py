"""All that training depends on and no checkpoint holds: read at one moment, and put back.

The parts of a state: position (epochs done, batches done of the next one, step, whether training is to stop), learning
rates as they are when all callbacks ran, callbacks, random generators, in mid-epoch the metrics, counters of Keras 2,
variables that no file of Keras holds, or holds in another form, and what is known of the data.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from waypoint_resume.callback_memory import put_back_memory, read_memory
from waypoint_resume.held_variables import put_back_held, read_held
from waypoint_resume.jobs import cluster_task
from waypoint_resume.loose_variables import put_back_loose, read_loose
from waypoint_resume.objects import is_split, sync_variables, value_of
from waypoint_resume.random_state import put_back_random, read_random
from waypoint_resume.recurrent_state import put_back_recurrent, read_recurrent
from waypoint_resume.rewritten_variables import put_back_rewritten, read_rewritten

_COUNTERS = ("_train_counter", "_test_counter", "_predict_counter")  # of Keras 2, which TensorBoard counts by
OF_SEVERAL_WORKERS = "the metrics of this epoch: each worker holds a part; what is logged is of its later batches"
_FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "jax", "numpy")


@dataclass(frozen=True)
class Trained:
    """The objects of a training whose state is kept; callbacks in the order in which they are called, None where there
    is no fit().
    """

    models: Sequence[Any] = ()
    optimizers: Sequence[Any] = ()
    callbacks: Sequence[Any] | None = None


@dataclass
class PutBack:
    """What a start put back of a state, for its receipt; `not_kept` holds sentences for people."""

    callbacks: list[str] = field(default_factory=list)
    random: list[str] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    metrics: int = 0
    not_kept: list[str] = field(default_factory=list)


def read_state(
    trained: Trained,
    *,
    epoch: int | None,
    batch: int | None,
    data: Any = None,  # noqa: ANN401
    in_tf_form: bool = False,
) -> dict[str, Any]:
    """The state of a training after `epoch` whole epochs and `batch` batches of the next one, as plain data.

    `in_tf_form`: what it is kept beside holds every variable as it is.
    """
    for model in trained.models:
        sync_variables(model)
    callbacks, unkept = read_memory(trained.callbacks or ())
    generators, undrawn = read_random(trained.models)
    variables, large = read_loose(trained.models)
    held, wider = ({}, []) if trained.callbacks is None else read_held(trained.models, trained.callbacks)
    recurrent, longer = read_recurrent(trained.models)
    rewritten, larger = ({}, []) if in_tf_form else read_rewritten(trained.models)
    metrics = metric_variables(trained.models) if batch else []
    if is_of_workers := _is_of_workers(metrics):
        metrics = []
    return {
        "position": {"epoch": epoch, "batch": batch, "step": step_of(trained.optimizers), "stop": _is_to_stop(trained)},
        "learning_rate": [_value(rate) for rate in _rates(trained.optimizers)],
        "callbacks": callbacks,
        "random": generators,
        "metrics": [_value(item) for item in metrics],
        "counters": [_value(item) for item in _counters(trained.models)],
        "variables": variables,
        "rewritten": rewritten,
        "recurrent": recurrent,
        "held": held,
        "data": data,
        "frameworks": versions(),
        "not_kept": unkept
        + undrawn
        + large
        + longer
        + wider
        + larger
        + ([OF_SEVERAL_WORKERS] if is_of_workers else []),
    }


def put_back_state(
    state: Mapping[str, Any], trained: Trained, *, keep_rate: bool = False, with_random: bool = True
) -> PutBack:
    """Put everything back but metrics, which fit() resets at the start of an epoch; `keep_rate`: a manifest set it.
    Without `with_random` generators are left for later.

    Call it when every on_train_begin has run. What does not fit is told and left as it is; nothing is raised for it.
    """
    back = PutBack()
    unkept: list[str] = []
    if trained.callbacks is not None:
        back.callbacks, unkept = put_back_memory(trained.callbacks, _records(state.get("callbacks")))
        unkept += put_back_held(trained.models, trained.callbacks, state.get("held"))
    undrawn: list[str] = []
    if with_random:
        back.random, undrawn = put_back_random(trained.models, _mapping(state.get("random")))
    back.not_kept += unkept + [text for text in undrawn if text not in unkept]
    if not keep_rate:
        told = _assign("learning rates", _rates(trained.optimizers), state.get("learning_rate"), back.not_kept)
        back.learning_rate = [float(value) for value in told]
    _assign("Keras' counters", _counters(trained.models), state.get("counters"), back.not_kept)
    back.not_kept += put_back_loose(trained.models, state.get("variables"))
    back.not_kept += put_back_rewritten(trained.models, state.get("rewritten"))
    back.not_kept += put_back_recurrent(trained.models, state.get("recurrent"))
    told = [text for text in state.get("not_kept") or () if isinstance(text, str) and text not in back.not_kept]
    back.not_kept += told
    return back


def put_back_metrics(state: Mapping[str, Any], trained: Trained, back: PutBack) -> None:
    """Give metrics their sums of the batches that are done; call it in on_epoch_begin, when fit() has reset them."""
    variables = metric_variables(trained.models)
    back.metrics = len(_assign("the metrics of this epoch", variables, state.get("metrics"), back.not_kept))


def fits_metrics(state: Mapping[str, Any], trained: Trained) -> bool:
    """Whether the metrics that were kept have their places: most are made at the first batch."""
    kept = state.get("metrics")
    return isinstance(kept, list) and _shapes(kept) == _shapes(metric_variables(trained.models))


def metric_variables(models: Sequence[Any]) -> list[Any]:
    """The variables of all metrics of the models, each once. Keras 2 makes them at its first batch."""
    found: list[Any] = []
    for model in models:
        if hasattr(model, "metrics_variables"):
            found += model.metrics_variables
        else:
            found += [variable for metric in getattr(model, "metrics", ()) for variable in metric.variables]
    return list({id(item): item for item in found}.values())


def step_of(optimizers: Sequence[Any]) -> int | None:
    """The step: of several optimizers the greatest, of a wrapped one the innermost's."""
    inner = [getattr(item, "inner_optimizer", None) or item for item in optimizers]
    # As it stands in a file: with gradient accumulation `iterations` of Keras 3 is another number.
    counters = [getattr(item, "_iterations", getattr(item, "iterations", None)) for item in inner]
    steps = [int(_value(item)) for item in counters if item is not None]
    return max(steps, default=None)


def learning_rates(optimizers: Sequence[Any]) -> list[float]:
    """The learning rates as they are now; none of an optimizer that follows a schedule."""
    return [float(_value(rate)) for rate in _rates(optimizers)]


def versions() -> dict[str, str]:
    """The versions of the frameworks that the job has imported, and Python's."""
    known = {name: getattr(sys.modules.get(name), "__version__", None) for name in _FRAMEWORKS}
    found = {name: str(version) for name, version in known.items() if version is not None}
    return {"python": sys.version.partition(" ")[0], **found}


def _is_of_workers(variables: Sequence[Any]) -> bool:
    """Whether several workers each hold a part of them."""
    return cluster_task()[3] > 1 and any(is_split(item) or is_split(getattr(item, "value", None)) for item in variables)


def _assign(what: str, variables: Sequence[Any], values: object, not_kept: list[str]) -> list[Any]:
    """Assign values in order; all or none. Gives the values, [] where they do not fit."""
    kept = list(values) if isinstance(values, (list, tuple)) else []
    if not kept:
        return []
    if _shapes(kept) != _shapes(variables):
        not_kept.append(f"{what}: the job has others now than when this was saved")
        return []
    for variable, value in zip(variables, kept):
        variable.assign(value)
    return kept


def _shapes(values: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(value, "shape", (None,))) for value in values]


def _rates(optimizers: Sequence[Any]) -> list[Any]:
    """The variables of learning rates; an optimizer that follows a schedule has none."""
    inner = [getattr(item, "inner_optimizer", None) or item for item in optimizers]
    rates = [getattr(item, "learning_rate", None) for item in inner]
    return [rate for rate in rates if hasattr(rate, "assign")]


def _counters(models: Sequence[Any]) -> list[Any]:
    found = [getattr(model, name, None) for model in models for name in _COUNTERS]
    return [item for item in found if hasattr(item, "assign")]


def _is_to_stop(trained: Trained) -> bool:
    return any(bool(getattr(model, "stop_training", False)) for model in trained.models)


def _value(variable: Any) -> Any:  # noqa: ANN401
    import numpy as np

    return np.array(value_of(variable) if hasattr(variable, "numpy") else variable)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _records(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
