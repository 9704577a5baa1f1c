"""TensorFlow's checkpoint format: `PREFIX.index` and `PREFIX.data-SSSSS-of-NNNNN`.

Read are the index, the object graph (one string tensor) and a few scalars that count; no other tensor. The checksums of
all that is read are verified. Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.base.errors import FormatError, TooLargeError, UnsupportedError
from core.base.facts import Facts, ReadProblem, Shard, Variable
from core.base.files import FileStat
from core.formats import dtypes, lfs
from core.formats.bundle_index import GRAPH_KEY, BundleEntry, BundleIndex, IndexCache, ReadIndex
from core.formats.bundle_layout import Layout, first_of, make_layout, step_of
from core.formats.bundle_values import Values
from core.formats.name_based import name_roles
from core.formats.object_graph import GraphRoles, graph_roles, parse_graph
from core.formats.wire.trackable_object_graph_pb2 import TrackableObjectGraph
from core.stores.local import told_permission
from core.stores.store import Store
from waypoint_resume.data_cache import LOOKED_INTO, is_cache_table
from waypoint_resume.names import join, to_text

MAX_INDEX = 32 * 1024 * 1024
MAX_GRAPH = 24 * 1024 * 1024
_KEPT_LAYOUTS = 64
DATA_CACHE = "data cache"  # the section of a bundle that is tf.data's, and no checkpoint


@dataclass(slots=True)
class BundleCache:
    """Parses to reuse: indexes, and what followed from an index and a graph of some checksum."""

    indexes: IndexCache = field(default_factory=IndexCache)
    layouts: dict[tuple[int, int | None], tuple[BundleIndex, Layout]] = field(default_factory=dict)


def shard_name(prefix: str, number: int, count: int) -> str:
    """The file name of a data shard."""
    return f"{prefix}.data-{number:05d}-of-{count:05d}"


def read(
    store: Store, folder: str, prefix: str, files: Mapping[str, FileStat], cache: BundleCache
) -> tuple[Facts, tuple[Variable, ...]]:
    """Facts and variables of the bundle `prefix`. `files` are the folder's, by name. FormatError or OSError for the
    index; what is wrong with a shard stands in the facts.
    """
    index_name = f"{prefix}.index"
    size = files[index_name].size
    path = join(folder, index_name)
    data = store.read(path, size + 1 if size <= MAX_INDEX else LOOKED_INTO)
    if is_cache_table(data[:LOOKED_INTO]):
        raise UnsupportedError("elements of data that Dataset.cache keeps", section=DATA_CACHE)
    if size > MAX_INDEX:
        raise TooLargeError(f"{size:,} bytes", section="index")
    if not data:
        return _absent(index_name, "empty", "the file has no bytes"), ()
    if lfs.is_pointer(data):
        return _absent(index_name, "lfs-pointer", lfs.DETAIL), ()
    found = cache.indexes.read(data)
    shards = _shards(prefix, found.index, files)
    values = Values(store, folder, shards, found)
    layout = _layout(found, values, cache)
    facts = _facts(layout, values)._replace(shards=shards, problem=_lfs_problem(store, folder, shards))
    if any(_is_doubtful(shard, files, index_name) for shard in shards):
        values.read(layout.samples)
    if values.denied is not None and facts.problem is None:
        name, error = values.denied
        facts = facts._replace(problem=ReadProblem(kind="permission", file=name, detail=told_permission(error)))
    return facts if values.mismatch is None else facts._replace(mismatch=values.mismatch), layout.variables


def object_graph(
    store: Store, folder: str, prefix: str, files: Mapping[str, FileStat], cache: BundleCache
) -> tuple[TrackableObjectGraph, Mapping[str, BundleEntry]] | None:
    """The object graph of a bundle whose index was read, with its tensors by key; None where it has none, or where it
    cannot be read.
    """
    index_name = f"{prefix}.index"
    if not 0 < files[index_name].size <= MAX_INDEX:
        return None
    try:
        found = cache.indexes.read(store.read(join(folder, index_name), MAX_INDEX))
        graph = found.index.entries.get(GRAPH_KEY)
        if graph is None or graph.size > MAX_GRAPH:
            return None
        values = Values(store, folder, _shards(prefix, found.index, files), found)
        data = values.read({graph.shard: (graph,)}).get(GRAPH_KEY)
        return None if data is None else (parse_graph(data), found.index.entries)
    except FormatError:
        return None


def _is_doubtful(shard: Shard, files: Mapping[str, FileStat], index_name: str) -> bool:
    """Whether a shard may be of another save than its index. A save ends with the index: an older one is a reason to
    look closer, and so is a shard of another length. One that is only longer is read whole: TensorFlow does not look
    behind the last tensor.
    """
    if shard.name not in files:
        return False
    is_longer = shard.expected is not None and files[shard.name].size > shard.expected
    return is_longer or files[shard.name].mtime_ns > files[index_name].mtime_ns


def _absent(file: str, kind: str, detail: str) -> Facts:
    reason = f"{to_text(file)}: {detail}"
    return Facts(contents_reason=reason, step_reason=reason, problem=ReadProblem(kind=kind, file=file, detail=detail))


def _shards(prefix: str, index: BundleIndex, files: Mapping[str, FileStat]) -> tuple[Shard, ...]:
    count = len(index.shard_lengths)
    shards = []
    for number, length in enumerate(index.shard_lengths):
        name = shard_name(prefix, number, count)
        file = files.get(name)
        shards.append(Shard(number, name, length, None if file is None else file.size))
    return tuple(shards)


def _lfs_problem(store: Store, folder: str, shards: tuple[Shard, ...]) -> ReadProblem | None:
    """A Git LFS pointer in the place of a shard: a small file of the wrong length is looked into."""
    for shard in shards:
        if shard.actual is None or shard.actual == shard.expected or shard.actual > lfs.MOST_BYTES:
            continue
        try:
            is_pointer = lfs.is_pointer(store.read(join(folder, shard.name), len(lfs.START)))
        except OSError:
            continue
        if is_pointer:
            return ReadProblem(kind="lfs-pointer", file=shard.name, detail=lfs.DETAIL)
    return None


def _layout(found: ReadIndex, values: Values, cache: BundleCache) -> Layout:
    """The layout of this index with the graph that its checksum names: equal ones were read before."""
    graph = found.index.entries.get(GRAPH_KEY)
    if graph is None:
        key: tuple[int, int | None] = (id(found.index), None)
    elif values.is_there(graph):
        key = (id(found.index), found.crc(graph))
    else:
        return make_layout(found.index, *_roles(found.index, graph, values))
    known = cache.layouts.get(key)
    if known is not None and known[0] is found.index:
        return known[1]
    roles, reason = _roles(found.index, graph, values)
    layout = make_layout(found.index, roles, reason)
    if reason is None:
        while len(cache.layouts) >= _KEPT_LAYOUTS:
            cache.layouts.pop(next(iter(cache.layouts)))
        cache.layouts[key] = (found.index, layout)
    return layout


def _roles(index: BundleIndex, graph: BundleEntry | None, values: Values) -> tuple[GraphRoles | None, str | None]:
    """The roles, or why they are not known."""
    if graph is None:
        return name_roles(index.entries), None
    if graph.size > MAX_GRAPH:
        return None, f"the object graph has {graph.size:,} bytes, more than is read"
    data = values.read({graph.shard: (graph,)}).get(GRAPH_KEY)
    if data is None:
        return None, f"the object graph cannot be read: {values.reason}"
    try:
        message = parse_graph(data)
    except FormatError as error:
        return None, str(error)
    trainable = {name for name, entry in index.entries.items() if entry.dtype in dtypes.TRAINABLE}
    scalars = {name for name, entry in index.entries.items() if entry.shape == ()}
    return graph_roles(message, trainable.__contains__, scalars.__contains__), None


def _facts(layout: Layout, values: Values) -> Facts:
    """The layout's facts with the counters of this very file."""
    numbers = values.integers(layout.scalars)
    step = step_of(layout, numbers)
    reason = layout.facts.step_reason
    if step is None and reason is None:
        reason = f"the step cannot be read: {values.reason}" if layout.steps else "the file has no counter of steps"
    return layout.facts._replace(
        step=step,
        step_reason=None if step is not None else reason,
        epoch=first_of(layout.epochs, numbers),
        save_counter=first_of(layout.saves, numbers),
    )
