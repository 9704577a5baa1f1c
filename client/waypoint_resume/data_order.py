"""In what order a fit() gets its data, and what must be repeated for a later epoch to get them as in an unbroken one.

Measured with Keras 3.15 and tf-keras 2.21 on TensorFlow 2.21: a shuffle of tf.data draws its seed when an iterator is
made, so making (and dropping) the iterators of the epochs that are done repeats the order exactly. A shuffle makes the
iterator of its own input when it is read for the first time; what is behind a `repeat` or a `concatenate` gets its
iterators on the way, and what is behind a `cache` only in the first epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any


class Replay(IntEnum):
    """What is to be done with the data of an epoch that is done, the dearer the later."""

    NOTHING = 0  # every epoch is the same
    ITERATORS = 1  # make its iterators
    ONE_BATCH = 2  # make them and read one batch: the order is drawn at the first
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
FUNCTIONS = ("_map_func", "_predicate", "_func", "_scan_func", "_reduce_func", "_key_func")


def kind_of_dataset(dataset: Any) -> str:  # noqa: ANN401 - TensorFlow has no types
    """The kind of a tf.data.Dataset, from its class: `Shuffle` for `_ShuffleDataset`."""
    return type(dataset).__name__.strip("_").partition("Dataset")[0]


def dataset_replay(dataset: Any) -> Replay:  # noqa: ANN401
    """What a tf.data.Dataset needs, if each epoch has an iterator of its own."""
    found = set(_needs(given_dataset(dataset), Replay.ITERATORS))
    if {Replay.ONE_BATCH, Replay.FIRST_EPOCH} <= found:
        return Replay.EVERYTHING
    return max(found, default=Replay.NOTHING)


def given_dataset(dataset: Any) -> Any:  # noqa: ANN401
    """The dataset that was given to fit(), of the one that a strategy made of it."""
    return getattr(dataset, "_original_dataset", dataset)


def _needs(dataset: Any, above: Replay) -> Iterator[Replay]:  # noqa: ANN401
    """The needs of a dataset and its inputs; `above` is what repeats the iterators that are made of it."""
    kind, operations = kind_of_dataset(dataset), {node.op for node in nodes_of(dataset)}
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
        below = above
        if kind == "Shuffle":
            below = max(above, Replay.ONE_BATCH)
        elif kind == "DirectedInterleave" and _shuffles_in(item):  # a batch may read one input and not the others
            below = Replay.EVERYTHING
        yield from _needs(item, below)


def _shuffles_in(dataset: Any) -> bool:  # noqa: ANN401
    return kind_of_dataset(dataset) == "Shuffle" or any(map(_shuffles_in, dataset._inputs()))  # noqa: SLF001


def nodes_of(dataset: Any) -> list[Any]:  # noqa: ANN401
    """The operations in a dataset's functions and in those that they call, as their definitions."""
    functions: list[Any] = [getattr(dataset, name, None) for name in FUNCTIONS]
    graphs = [item.function.graph.as_graph_def() for item in functions if hasattr(item, "function")]
    parts = [part for graph in graphs for part in (graph.node, *(item.node_def for item in graph.library.function))]
    return [node for part in parts for node in part]
