"""All that follows from a bundle's index and object graph alone: the same for every checkpoint of a series."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.base.facts import Contents, Facts, Role, Sourced, Variable
from core.formats import dtypes, fingerprint
from core.formats.bundle_index import GRAPH_KEY, BundleEntry, BundleIndex
from core.formats.object_graph import VALUE_SUFFIX, Counters, GraphRoles

_SAMPLES, _SAMPLE_BYTES = 8, 256 * 1024
COUNTS_BATCHES = "; it counts batches, of which several make a step: of how many, the file does not tell"
_NO_ROLES = GraphRoles(weights=frozenset(), optimizer=frozenset(), has_optimizer=False, counters=Counters())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`samples` are some tensors that training changes and `scalars` those that count, both by shard; `steps`, `epochs`
    and `saves` are their names, the steps' in tiers of falling trust, `batches` those that count batches; `facts` lack
    what only a very file tells.
    """

    variables: tuple[Variable, ...]
    samples: Mapping[int, tuple[BundleEntry, ...]]
    scalars: Mapping[int, tuple[BundleEntry, ...]]
    steps: tuple[tuple[str, ...], ...]
    epochs: tuple[str, ...]
    saves: tuple[str, ...]
    facts: Facts
    batches: frozenset[str] = frozenset()


def make_layout(index: BundleIndex, roles: GraphRoles | None, reason: str | None) -> Layout:
    """The layout of an index; `roles` is None where the object graph cannot be read, for `reason`."""
    known = roles or _NO_ROLES
    variables = tuple(
        _variable(entry, index.slice_bytes, known) for name, entry in index.entries.items() if name != GRAPH_KEY
    )
    fingerprint.check_sums(variables, "bundle entry")
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
    counters = known.counters
    tiers = (counters.iterations, counters.global_step, counters.step)
    names = [name for tier in (*tiers, counters.epoch, counters.save_counter) for name in tier]
    scalars = _scalars(index, names)
    readable = {entry.name for entries in scalars.values() for entry in entries}
    steps = (tuple(name for name in tier if name in readable) for tier in tiers)
    return Layout(
        variables=variables,
        samples=_samples(index, variables),
        scalars=scalars,
        steps=tuple(tier for tier in steps if tier),
        epochs=counters.epoch,
        saves=counters.save_counter,
        facts=facts,
        batches=counters.batches,
    )


def _samples(index: BundleIndex, variables: Iterable[Variable]) -> dict[int, tuple[BundleEntry, ...]]:
    """A few small tensors that each training step changes, by shard."""
    found: dict[int, tuple[BundleEntry, ...]] = {}
    for variable in variables:
        entry = index.entries[variable.name]
        mine = found.get(entry.shard, ())
        if variable.role is not Role.OTHER and 0 < entry.size <= _SAMPLE_BYTES and len(mine) < _SAMPLES:
            found[entry.shard] = (*mine, entry)
    return found


def _scalars(index: BundleIndex, names: Iterable[str]) -> dict[int, tuple[BundleEntry, ...]]:
    """Those of the names that are integer scalars, by shard."""
    found: dict[int, list[BundleEntry]] = {}
    for name in dict.fromkeys(names):
        entry = index.entries.get(name)
        if entry is None or entry.shape != () or dtypes.INTEGERS.get(entry.dtype) != entry.size:
            continue
        found.setdefault(entry.shard, []).append(entry)
    return {shard: tuple(entries) for shard, entries in found.items()}


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
            source = name.removesuffix(VALUE_SUFFIX) + (COUNTS_BATCHES if name in layout.batches else "")
            if value > 0:
                return Sourced(value, source)
            zero = zero or Sourced(value, source)
    return zero


def first_of(names: Iterable[str], numbers: Mapping[str, int]) -> Sourced | None:
    """The first of some counters that could be read."""
    for name in names:
        if name in numbers:
            return Sourced(numbers[name], name.removesuffix(VALUE_SUFFIX))
    return None
