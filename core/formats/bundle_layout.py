"""All that follows from a bundle's index and object graph alone: the same for every checkpoint of a series."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.errors import CorruptError
from core.formats import dtypes, fingerprint
from core.formats.bundle_index import GRAPH_KEY, LARGEST, BundleEntry, BundleIndex
from core.formats.object_graph import VALUE_SUFFIX, Counters, GraphRoles
from core.model import Contents, Facts, Sourced, Variable

_NO_ROLES = GraphRoles(weights=frozenset(), optimizer=frozenset(), has_optimizer=False, counters=Counters())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`scalars` are the tensors that count, by shard; `steps`, `epochs` and `saves` their names, the steps' in tiers of
    falling trust; `facts` lack what only a very file tells.
    """

    variables: tuple[Variable, ...]
    scalars: Mapping[int, tuple[BundleEntry, ...]]
    steps: tuple[tuple[str, ...], ...]
    epochs: tuple[str, ...]
    saves: tuple[str, ...]
    facts: Facts


def make_layout(index: BundleIndex, roles: GraphRoles | None, reason: str | None) -> Layout:
    """The layout of an index; `roles` is None where the object graph cannot be read, for `reason`."""
    known = roles or _NO_ROLES
    variables = tuple(
        _variable(entry, index.slice_bytes, known) for name, entry in index.entries.items() if name != GRAPH_KEY
    )
    if roles is None:
        contents = Contents.UNKNOWN
    elif roles.has_optimizer and roles.optimizer:
        contents = Contents.WEIGHTS_AND_OPTIMIZER
    else:
        contents = Contents.WEIGHTS_ONLY
    facts = Facts(
        contents=contents,
        contents_reason=reason,
        has_optimizer=contents is Contents.WEIGHTS_AND_OPTIMIZER,
        step_reason=reason,
        variables=len(variables),
        parameters=None if roles is None else fingerprint.parameters(variables),
        role_bytes=fingerprint.role_bytes(variables),
        fingerprint=fingerprint.fingerprint(variables),
    )
    _check_sums(facts)
    counters = known.counters
    tiers = (counters.iterations, counters.global_step, counters.step)
    names = [name for tier in (*tiers, counters.epoch, counters.save_counter) for name in tier]
    scalars = _scalars(index, names)
    readable = {entry.name for entries in scalars.values() for entry in entries}
    steps = (tuple(name for name in tier if name in readable) for tier in tiers)
    return Layout(
        variables=variables,
        scalars=scalars,
        steps=tuple(tier for tier in steps if tier),
        epochs=counters.epoch,
        saves=counters.save_counter,
        facts=facts,
    )


def _check_sums(facts: Facts) -> None:
    """CorruptError for sums that no real checkpoint reaches, and that databases could not keep."""
    for number in (*facts.role_bytes, facts.parameters or 0):
        if not 0 <= number <= LARGEST:
            raise CorruptError(f"sizes and shapes add up to {number:,}", section="bundle entry")


def _scalars(index: BundleIndex, names: Iterable[str]) -> dict[int, tuple[BundleEntry, ...]]:
    """Those of the names that are integer scalars, by shard."""
    found: dict[int, tuple[BundleEntry, ...]] = {}
    for name in dict.fromkeys(names):
        entry = index.entries.get(name)
        if entry is None or entry.shape != () or dtypes.INTEGERS.get(entry.dtype) != entry.size:
            continue
        found[entry.shard] = (*found.get(entry.shard, ()), entry)
    return found


def _variable(entry: BundleEntry, slice_bytes: Mapping[str, int], roles: GraphRoles) -> Variable:
    sliced = slice_bytes.get(entry.name)
    return Variable(
        name=entry.name,
        dtype=entry.dtype,
        shape=entry.shape,
        bytes=entry.size if sliced is None else sliced,
        role=roles.role(entry.name),
        shard=entry.shard if sliced is None else None,
        offset=entry.offset if sliced is None else None,
        parameters=math.prod(entry.shape or ()),
    )


def step_of(layout: Layout, numbers: Mapping[str, int]) -> Sourced | None:
    """The step: the largest of the most trusted tier that has one above 0, else a 0 of the first tier that has any."""
    zero = None
    for tier in layout.steps:
        known = [(numbers[name], name) for name in tier if name in numbers]
        if known:
            value, name = max(known)
            if value > 0:
                return Sourced(value, name.removesuffix(VALUE_SUFFIX))
            zero = zero or Sourced(value, name.removesuffix(VALUE_SUFFIX))
    return zero


def first_of(names: Iterable[str], numbers: Mapping[str, int]) -> Sourced | None:
    """The first of some counters that could be read."""
    for name in names:
        if name in numbers:
            return Sourced(numbers[name], name.removesuffix(VALUE_SUFFIX))
    return None
