"""Why data may come in another order than in an unbroken training, although the iterators are driven as there.

What is not proven to be deterministic is said: a shuffle without a seed, operations of which threads or options decide
the order, functions and objects of the job's own that may keep something from one epoch to the next.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

from waypoint_resume.data_order import given_dataset, kind_of_dataset, nodes_of

UNSEEDED = "no seed is set (keras.utils.set_random_seed), so what is left of this epoch comes in an order of its own"
_UNORDERED = "deterministic=False lets threads decide the order"
_THREADS = "random numbers are drawn by several threads (tf.config.experimental.enable_op_determinism orders them)"
_PYTHON = "a Python function is called within the dataset, and what it keeps of its own begins anew"
_COUNTS = "the {kind} counts the batches that it gave and draws by that, and begins anew"
_GENERATOR = "{name} of the {kind} is a generator of its own, which begins anew"


def doubts_of_dataset(dataset: Any, *, within_epoch: bool) -> list[str]:  # noqa: ANN401 - TensorFlow has no types
    """What speaks against a tf.data.Dataset, as parts of a sentence; `within_epoch`: a part of an epoch is skipped."""
    given = given_dataset(dataset)
    found = list(_doubts(given, is_ordered=_is_ordered()))
    if given.options().deterministic is False and not _is_ordered():
        found.append(_UNORDERED)
    return [text for text in dict.fromkeys(found) if within_epoch or text != UNSEEDED]


def doubts_of_arrays(*, within_epoch: bool) -> list[str]:
    """The same of arrays that TensorFlow shuffles."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return [UNSEEDED] if within_epoch and context is not None and context.global_seed() is None else []


def doubts_of_object(data: Any) -> list[str]:  # noqa: ANN401 - a PyDataset or Sequence of the job's own
    """The same of an object whose batches are asked for by their numbers."""
    kinds: tuple[type, ...] = (random.Random,)
    if (numpy := sys.modules.get("numpy")) is not None:
        kinds += (numpy.random.Generator, numpy.random.RandomState)
    reader: Any = getattr(type(data), "__getitem__", None)
    cells = zip(reader.__code__.co_freevars, reader.__closure__ or ()) if hasattr(reader, "__closure__") else ()
    named = {**{name: cell.cell_contents for name, cell in cells}, **_globals_of(reader), **vars(data)}
    found = [name for name, item in named.items() if isinstance(item, kinds)]
    told = [_GENERATOR.format(name=name, kind=type(data).__name__) for name in found]
    # Keras' ImageDataGenerator.flow and its like.
    return told + ([_COUNTS.format(kind=type(data).__name__)] if hasattr(data, "total_batches_seen") else [])


def _globals_of(function: Any) -> dict[str, Any]:  # noqa: ANN401
    """The module's variables that a function names."""
    code, known = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    return {} if code is None else {name: known[name] for name in code.co_names if name in known}


def _doubts(dataset: Any, *, is_ordered: bool) -> Iterator[str]:  # noqa: ANN401
    kind, nodes = kind_of_dataset(dataset), nodes_of(dataset)
    if kind in ("Shuffle", "Random") and not (int(dataset._seed) or int(dataset._seed2)):  # noqa: SLF001
        yield UNSEEDED
    draws = [node for node in nodes if "seed2" in node.attr]
    if any(not (node.attr["seed"].i or node.attr["seed2"].i) for node in draws):
        yield UNSEEDED
    is_parallel = kind.startswith("Parallel") or kind == "MapAndBatch"
    is_loose = getattr(dataset, "_deterministic", None) == "false" or any(
        node.attr["deterministic"].s == b"false" for node in nodes if "deterministic" in node.attr
    )
    if is_loose and not is_ordered:
        yield _UNORDERED
    if draws and is_parallel and not is_ordered:
        yield _THREADS
    if any("PyFunc" in node.op for node in nodes):
        yield _PYTHON
    for item in dataset._inputs():  # noqa: SLF001 - no public name
        yield from _doubts(item, is_ordered=is_ordered)


def _is_ordered() -> bool:
    """Whether TensorFlow was told to order all operations."""
    config = sys.modules.get("tensorflow.python.framework.config")
    return bool(config is not None and config.is_op_determinism_enabled())
