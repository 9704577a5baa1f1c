"""In what order a fit() gets its data, and what must be repeated for a later epoch to get them as in an unbroken one.

Measured with Keras 3.15 and tf-keras 2.21 on TensorFlow 2.21: a shuffle of tf.data draws its seed when an iterator is
made, so making (and dropping) the iterators of the epochs that are done repeats the order exactly. What is behind a
`repeat` or a `concatenate` gets its iterators on the way, and what is behind a `cache` only in the first epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any


class Replay(IntEnum):
    """What is to be done with the data of an epoch that is done, the dearer the later."""

    NOTHING = 0  # every epoch is the same
    ITERATORS = 1  # make its iterators
    ONE_BATCH = 2  # make them and read one batch: they draw the order from Python's or NumPy's generator
    FIRST_EPOCH = 3  # read the first epoch, make the iterators of the others
    EVERYTHING = 4  # read all of them


# Datasets whose iterator makes exactly one iterator of each of its inputs, when it is made itself.
_ONE_TO_ONE = frozenset(
    (
        *("AssertCardinality", "Batch", "DenseToRaggedBatch", "DirectedInterleave", "Filter", "FlatMap"),
        *("GroupByWindow", "IgnoreErrors", "Interleave", "LegacyRebatch", "Map", "MapAndBatch", "Options"),
        *("PaddedBatch", "ParallelBatch", "ParallelInterleave", "ParallelMap", "Prefetch", "Rebatch", "Scan", "Shard"),
        *("Shuffle", "Skip", "SlidingWindow", "Take", "TakeWhile", "UnaryUnchanged", "Unbatch", "Unique", "Variant"),
        *("Window", "Zip"),
    )
)
_FUNCTIONS = ("_map_func", "_predicate", "_func", "_scan_func", "_reduce_func", "_key_func")


def kind_of_dataset(dataset: Any) -> str:  # noqa: ANN401 - TensorFlow has no types
    """The kind of a tf.data.Dataset, from its class: `Shuffle` for `_ShuffleDataset`."""
    return type(dataset).__name__.strip("_").partition("Dataset")[0]


def dataset_replay(dataset: Any) -> Replay:  # noqa: ANN401
    """What a tf.data.Dataset needs, if each epoch has an iterator of its own."""
    return max(_needs(getattr(dataset, "_original_dataset", dataset), Replay.ITERATORS), default=Replay.NOTHING)


def _needs(dataset: Any, above: Replay) -> Iterator[Replay]:  # noqa: ANN401
    """The needs of a dataset and its inputs; `above` is what repeats the iterators that are made of it."""
    kind, operations = kind_of_dataset(dataset), _operations(dataset)
    if kind == "Random" or (kind == "Shuffle" and dataset._reshuffle_each_iteration is not False):  # noqa: SLF001
        yield above
    if any(name.startswith("Random") for name in operations):  # their seeds are drawn when an iterator is made
        yield above
    if any(name.startswith(("Rng", "Assign", "Scatter", "ResourceScatter")) for name in operations):
        yield above if above >= Replay.FIRST_EPOCH else Replay.EVERYTHING  # a variable, a tf.random.Generator
    if kind in ("Cache", "MemoryCache"):
        above = max(above, Replay.FIRST_EPOCH)
    elif kind not in _ONE_TO_ONE:
        above = Replay.EVERYTHING
    for item in dataset._inputs():  # noqa: SLF001 - no public name
        yield from _needs(item, above)


def _operations(dataset: Any) -> set[str]:  # noqa: ANN401
    """The kinds of the operations in a dataset's function that keep something from one call to the next."""
    functions: list[Any] = [getattr(dataset, name, None) for name in _FUNCTIONS]
    graphs = [item.function.graph for item in functions if hasattr(item, "function")]
    return {item.type for graph in graphs for item in graph.get_operations() if item.op_def.is_stateful}
