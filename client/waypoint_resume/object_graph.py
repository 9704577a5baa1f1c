"""The object graph of a TensorFlow bundle: which of its nodes is which object of the job, and which are optimizers'."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from waypoint_resume.objects import COUNTERS, children_of

_OF_OPTIMIZERS = frozenset({"_variables", "_trainable_variables", "learning_rate", "_learning_rate", "decay"})


def match_nodes(graph: Any, root: Any, skipped: Collection[int] = ()) -> tuple[dict[int, Any], dict[int, str]]:  # noqa: ANN401
    """The job's objects and the paths of nodes by their numbers: by the names of the edges, as TensorFlow does it.

    Nothing is met behind the nodes in `skipped`.
    """
    matched: dict[int, Any] = {0: root}
    paths = {0: ""}
    queue = [0]
    for number in queue:
        item = matched.get(number)
        parts = {} if item is None else children_of(item)
        for edge in graph.nodes[number].children if number not in skipped else ():
            if edge.node_id not in paths:
                paths[edge.node_id] = f"{paths[number]}/{edge.local_name}".lstrip("/")
                queue.append(edge.node_id)
            if edge.local_name in parts and edge.node_id not in matched:
                matched[edge.node_id] = parts[edge.local_name]
                queue.append(edge.node_id)  # again, if it was met before its object was known
    return matched, paths


def optimizer_nodes(graph: Any) -> set[int]:  # noqa: ANN401
    """The nodes of optimizers, and of what wraps one."""
    found = set()
    for number, node in enumerate(graph.nodes):
        names = {edge.local_name for edge in node.children}
        counts = not names.isdisjoint(COUNTERS)
        if "inner_optimizer" in names or node.slot_variables or (counts and not names.isdisjoint(_OF_OPTIMIZERS)):
            found.add(number)
    return found
