"""Roles read off object graphs that were made by hand; test_bundle.py asks TensorFlow and Keras."""

import time

import pytest

from core.base.errors import CorruptError
from core.base.facts import Role
from core.formats.object_graph import Counters, GraphRoles, graph_roles, parse_graph
from tests.support import builders
from tests.support.builders import Node

VECTORS = {"w", "b", "m", "v", "last_w"}
INTEGERS = {"iter", "step", "epoch", "saves", "state"}


def roles(nodes: list[Node]) -> GraphRoles:
    graph = parse_graph(builders.graph(nodes))
    return graph_roles(graph, lambda key: key not in INTEGERS, lambda key: key not in VECTORS)


def leaf(key: str, full_name: str = "") -> Node:
    return Node(keys={key: full_name or key})


def shown(found: GraphRoles, *keys: str) -> str:
    """The roles of some keys as letters: w(eight), o(ptimizer), - for other."""
    return "".join({Role.WEIGHT: "w", Role.OPTIMIZER: "o", Role.OTHER: "-"}[found.role(key)] for key in keys)


# Node 1 is the optimizer, 2 its counter, 3 its learning rate, 4 the weight `w`, 5 the slot `m`.
def optimized(root: dict[str, int], optimizer: dict[str, int], slots: bool = False) -> list[Node]:
    made = Node(children=optimizer, slots=[(4, "m", 5)] if slots else [])
    return [Node(children=root), made, leaf("iter"), leaf("rate"), leaf("w"), leaf("m")]


@pytest.mark.parametrize(
    ("root", "optimizer", "slots", "expected"),
    [
        ({"w": 4, "opt": 1}, {"_iterations": 2, "_learning_rate": 3, "m": 5}, False, "woo"),
        ({"w": 4, "opt": 1}, {"_iterations": 2, "learning_rate": 3, "m": 5}, False, "woo"),
        ({"w": 4, "opt": 1}, {"iter": 2, "learning_rate": 3}, True, "woo"),
        ({"w": 4, "opt": 1}, {"iter": 2, "decay": 3, "m": 5}, False, "woo"),
        ({"w": 4, "opt": 1}, {"_iterations": 2, "_current_learning_rate": 3, "m": 5}, False, "woo"),
        ({"w": 4, "opt": 1}, {"_iterations": 2, "_trainable_variables": 4, "m": 5}, False, "wo-"),
        ({"w": 4, "opt": 1}, {"_iterations": 2, "_variables": 3, "m": 5}, False, "woo"),
        ({"opt": 1}, {"_iterations": 2, "_learning_rate": 3, "_trainable_variables": 4, "m": 5}, False, "woo"),
        ({"opt": 1}, {"inner_optimizer": 2, "m": 5, "rate": 3}, False, "-oo"),
        ({"w": 4, "opt": 1}, {"anything": 3}, True, "woo"),
        ({"w": 4, "opt": 1}, {"_iterations": 2, "m": 5}, False, "ww-"),
        ({"w": 4, "opt": 1}, {"learning_rate": 3, "m": 5}, False, "ww-"),
    ],
    ids=[
        *("keras-3", "rate", "legacy", "legacy-schedule", "tf-keras", "schedule", "variables"),
        *("weights-only-there", "inner", "slots", "no-rate", "no-counter"),
    ],
)
def test_what_an_optimizer_is(root: dict[str, int], optimizer: dict[str, int], slots: bool, expected: str) -> None:
    found = roles(optimized(root, optimizer, slots))
    reaches_rate = 3 in optimizer.values()
    assert shown(found, "w", "m", "rate") == (expected if reaches_rate or expected[2] == "-" else expected[:2] + "-")
    assert found.has_optimizer is ("o" in expected)


@pytest.mark.parametrize(
    ("child", "key", "full_name", "expected"),
    [
        ("kernel", "w", "dense/kernel", "w"),
        ("gain", "s", "gain", "w"),
        ("metrics", "s", "x", "-"),
        ("compiled_metrics", "w", "x", "-"),
        ("loss_tracker", "w", "x", "-"),
        ("learning_rate", "s", "x", "-"),
        ("best_loss", "s", "x", "-"),
        ("x", "s", "best_loss", "-"),
        ("x", "s", "mean/total", "-"),
        ("x", "s", "count", "-"),
        ("x", "w", "auc/true_positives", "-"),
        ("last_layer", "w", "x", "w"),
        ("last_loss", "s", "x", "-"),
        ("step", "step", "step", "-"),
        ("rng", "state", "StateVar", "-"),
    ],
)
def test_what_is_kept_beside_a_model_is_no_weight(child: str, key: str, full_name: str, expected: str) -> None:
    assert shown(roles([Node(children={child: 1}), leaf(key, full_name)]), key) == expected


def test_what_an_optimizer_trains_is_a_weight_whatever_its_name() -> None:
    nodes = optimized({"opt": 1}, {"_iterations": 2, "_learning_rate": 3, "_trainable_variables": 4})
    nodes[4] = Node(children={"0": 6})
    nodes.append(leaf("scalar", "best_loss"))
    assert shown(roles(nodes), "scalar", "rate", "iter") == "woo"


def test_a_weight_below_an_optimizer_is_one_when_the_model_reaches_it_too() -> None:
    nodes = optimized({"opt": 1, "model": 6}, {"_iterations": 2, "_learning_rate": 3, "vars": 4, "m": 5})
    nodes.append(Node(children={"w": 4}))
    assert shown(roles(nodes), "w", "m") == "wo"


def test_the_counters_in_order_of_trust() -> None:
    nodes = [
        Node(children={"a": 1, "b": 2, "step": 7, "save_counter": 8, "epoch": 9, "count": 10}),
        Node(children={"_iterations": 3, "_learning_rate": 4}),
        Node(children={"iter": 5, "learning_rate": 6}),
        *(leaf(key) for key in ("a/iter", "a/rate", "b/iter", "b/rate", "step", "saves", "epoch")),
        leaf("g", "global_step:0"),
    ]
    assert roles(nodes).counters == Counters(
        iterations=("a/iter", "b/iter"), global_step=("g",), step=("step",), epoch=("epoch",), save_counter=("saves",)
    )


def test_under_mixed_precision_the_inner_counter_counts() -> None:
    nodes = [
        Node(children={"optimizer": 1}),
        Node(children={"_iterations": 2, "_learning_rate": 3, "inner_optimizer": 4, "dynamic_scale": 7}),
        *(leaf("outer"), leaf("outer/rate")),
        Node(children={"_iterations": 5, "_learning_rate": 6}),
        *(leaf("inner"), leaf("inner/rate"), leaf("scale")),
    ]
    found = roles(nodes)
    assert found.counters.iterations == ("inner",)
    assert shown(found, "scale", "outer", "inner/rate") == "ooo"


def test_an_optimizer_as_the_root_keeps_the_counter_of_saves_apart() -> None:
    nodes = optimized({}, {})
    nodes[0] = Node(
        children={"_iterations": 2, "_learning_rate": 3, "_trainable_variables": 4, "save_counter": 6, "m": 5}
    )
    nodes.append(leaf("saves", "save_counter"))
    found = roles(nodes)
    assert shown(found, "w", "m", "saves") == "wo-"
    assert found.counters.save_counter == ("saves",)
    assert found.counters.iterations == ("iter",)


@pytest.mark.parametrize(
    "nodes",
    [
        [Node(children={"self": 0, "w": 1}), leaf("w")],
        [Node(children={"a": 1}), Node(children={"b": 2, "w": 3}), Node(children={"a": 1, "root": 0}), leaf("w")],
        [
            Node(children={"opt": 1, "w": 3}),
            Node(children={"_iterations": 2, "_learning_rate": 2, "model": 0, "self": 1}),
            leaf("iter"),
            Node(keys={"w": "w"}, children={"back": 0}),
        ],
    ],
    ids=["self", "ring", "optimizer"],
)
def test_cycles_end(nodes: list[Node]) -> None:
    assert shown(roles(nodes), "w") == "w"


@pytest.mark.parametrize("target", [3, -1, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("kind", ["child", "slot"])
def test_nodes_that_do_not_exist_are_corrupt(kind: str, target: int) -> None:
    bent = Node(children={"a": target}) if kind == "child" else Node(slots=[(0, "m", target)])
    with pytest.raises(CorruptError, match="node 1 points beyond the 3 nodes") as caught:
        parse_graph(builders.graph([Node(), bent, leaf("w")]))
    assert caught.value.section == "object graph"


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05a", b"\x0a\x03\x0a\x01\x08"], ids=["tag", "length", "child"])
def test_garbage_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptError, match="not a TrackableObjectGraph"):
        parse_graph(data)


@pytest.mark.parametrize("nodes", [[], [Node()]], ids=["none", "root"])
def test_an_empty_graph_has_no_roles(nodes: list[Node]) -> None:
    found = roles(nodes)
    assert (found.weights, found.optimizer, found.has_optimizer) == (frozenset(), frozenset(), False)
    assert found.counters == Counters()
    assert found.role("x") is Role.OTHER


def test_a_chain_of_100_000_nodes_is_walked() -> None:
    length = 100_000
    nodes = [Node(children={"next": number + 1}) for number in range(length)]
    nodes[length // 2].children |= {"_iterations": length, "_learning_rate": length}
    nodes[length // 4].keys = {"w": "kernel"}
    nodes.append(leaf("m"))
    begun = time.perf_counter()
    assert shown(roles(nodes), "w", "m") == "wo"
    assert time.perf_counter() - begun < 10


def test_a_graph_of_many_optimizers_takes_no_quadratic_time() -> None:
    """Each optimizer that trains the same long chain must not walk it anew."""
    count = 4_000
    nodes = [Node(children={str(number): number + 1 for number in range(count)})]
    chain = count + 3
    ends = {"_iterations": count + 1, "_learning_rate": count + 2, "_trainable_variables": chain}
    nodes += [Node(children=ends) for _ in range(count)]
    nodes += [leaf("iter"), leaf("rate")]
    nodes += [Node(children={"next": chain + number + 1}) for number in range(count)]
    nodes.append(leaf("w"))
    begun = time.perf_counter()
    found = roles(nodes)
    assert time.perf_counter() - begun < 5
    assert shown(found, "w", "rate") == "wo"
    assert found.counters.iterations == ("iter",)
