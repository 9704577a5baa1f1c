"""TensorFlow's checkpoint format: `PREFIX.index` and `PREFIX.data-SSSSS-of-NNNNN`.

Read are the index, the object graph (one string tensor) and a few scalars that count; no other tensor. Both checksums
of what is read are verified. Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from core.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.formats import dtypes, fingerprint
from core.formats.bundle_index import GRAPH_KEY, BundleEntry, BundleIndex, IndexCache, ReadIndex
from core.formats.checksum import crc32c, mask, masked_crc
from core.formats.name_based import name_roles
from core.formats.object_graph import VALUE_SUFFIX, Counters, GraphRoles, graph_roles, parse_graph
from core.formats.varint import read_varint
from core.fs.names import to_text
from core.fs.storage import Storage
from core.model import Contents, Facts, FileStat, ReadProblem, Shard, Sourced, Variable

MAX_INDEX = 256 * 1024 * 1024
MAX_GRAPH = 64 * 1024 * 1024
_LFS = b"version https://git-lfs"
_SMALL = 1024
_KEPT_LAYOUTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that follows from an index and its object graph alone, the same for every checkpoint of a series."""

    variables: tuple[Variable, ...]
    counters: Counters
    facts: Facts


@dataclass(slots=True)
class BundleCache:
    """Parses to reuse within one folder: indexes, graphs by (size, checksum), and what followed from both."""

    indexes: IndexCache = field(default_factory=IndexCache)
    layouts: dict[tuple[int, int | None], tuple[BundleIndex, Layout]] = field(default_factory=dict)


def shard_name(prefix: str, number: int, count: int) -> str:
    """The file name of a data shard."""
    return f"{prefix}.data-{number:05d}-of-{count:05d}"


def read(
    storage: Storage, folder: str, prefix: str, files: Mapping[str, FileStat], cache: BundleCache
) -> tuple[Facts, tuple[Variable, ...]]:
    """Facts and variables of the bundle `prefix`. `files` are the folder's, by name. FormatError or OSError for the index;
    what is wrong with a shard stands in the facts."""
    index_name = f"{prefix}.index"
    if files[index_name].size > MAX_INDEX:
        raise TooLargeError(f"{files[index_name].size:,} bytes", section="index")
    with storage.open(_join(folder, index_name)) as file:
        data = file.read(MAX_INDEX + 1)
    if not data:
        return _empty(index_name, "empty", "the file has no bytes"), ()
    if data.startswith(_LFS):
        return _empty(index_name, "lfs-pointer", "a Git LFS pointer stands in its place"), ()
    found = cache.indexes.read(data)
    shards = _shards(prefix, found.index, files)
    values = _Values(storage, folder, shards, found)
    layout = _layout(found, values, cache)
    facts = _with_counters(layout, values)
    lfs = next((shard.name for shard in shards if _is_lfs(storage, folder, shard)), None)
    problem = None if lfs is None else ReadProblem(kind="lfs-pointer", file=lfs, detail="a Git LFS pointer stands in its place")
    return replace(facts, shards=shards, mismatch=values.mismatch, problem=problem), layout.variables


def _empty(file: str, kind: str, detail: str) -> Facts:
    reason = f"{to_text(file)}: {detail}"
    return Facts(contents_reason=reason, step_reason=reason, problem=ReadProblem(kind=kind, file=file, detail=detail))


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _shards(prefix: str, index: BundleIndex, files: Mapping[str, FileStat]) -> tuple[Shard, ...]:
    count = len(index.shard_lengths)
    names = (shard_name(prefix, number, count) for number in range(count))
    return tuple(
        Shard(number=number, name=name, expected=length, actual=files[name].size if name in files else None)
        for number, (name, length) in enumerate(zip(names, index.shard_lengths, strict=True))
    )


def _is_lfs(storage: Storage, folder: str, shard: Shard) -> bool:
    if shard.actual is None or shard.actual == shard.expected or shard.actual > _SMALL:
        return False
    try:
        with storage.open(_join(folder, shard.name)) as file:
            return file.read(len(_LFS)) == _LFS
    except OSError:
        return False


class _Values:
    """Reads single tensors, verifying each; keeps why one could not be read, and the first checksum that did not hold."""

    def __init__(self, storage: Storage, folder: str, shards: tuple[Shard, ...], found: ReadIndex) -> None:
        self._storage, self._folder, self._shards, self._found = storage, folder, shards, found
        self.mismatch: str | None = None
        self.reason: str | None = None

    def read(self, entries: Iterable[BundleEntry]) -> dict[str, bytes]:
        """Stored bytes of those tensors that are there and whole; each shard is opened once."""
        by_shard: dict[int, list[BundleEntry]] = {}
        for entry in entries:
            by_shard.setdefault(entry.shard, []).append(entry)
        values: dict[str, bytes] = {}
        for number, wanted in by_shard.items():
            shard = self._shards[number]
            if shard.actual is None:
                self.reason = f"{to_text(shard.name)}, which holds it, is missing"
                continue
            try:
                with self._storage.open(_join(self._folder, shard.name)) as file:
                    for entry in wanted:
                        file.seek(entry.offset)
                        values[entry.name] = self._checked(entry, file.read(entry.size))
            except OSError as error:
                self.reason = f"{to_text(shard.name)}: {error.strerror}"
            except FormatError as error:
                self.reason = f"{to_text(shard.name)}: {error}"
        return values

    def _checked(self, entry: BundleEntry, data: bytes) -> bytes:
        if len(data) < entry.size:
            raise TruncatedError(f"{entry.name} ends beyond the file", section="tensor", offset=entry.offset)
        content, crc = _string(data) if entry.dtype == "string" and entry.shape == () else (data, masked_crc(data))
        if crc != self._found.crc(entry):
            self.mismatch = self.mismatch or entry.name
            raise CorruptError(f"the checksum of {entry.name} does not hold", section="tensor", offset=entry.offset)
        return content

    def integers(self, keys: Iterable[str]) -> dict[str, int]:
        """The values of those keys that are integer scalars."""
        entries = self._found.index.entries
        scalars = [
            entry for key in keys if (entry := entries.get(key)) and entry.shape == () and entry.dtype in dtypes.INTEGERS
        ]
        order: Literal["big", "little"] = "big" if self._found.index.big_endian else "little"
        return {key: int.from_bytes(data, order, signed=True) for key, data in self.read(scalars).items()}

    def shard_is_there(self, entry: BundleEntry) -> bool:
        """Whether the shard that holds a tensor exists."""
        return self._shards[entry.shard].actual is not None


def _string(data: bytes) -> tuple[bytes, int]:
    """A string scalar's content and masked checksum. Stored are the length (varint), a masked CRC-32C of the lengths as
    uint32 each, and the bytes; the tensor's checksum runs over the lengths, that stored CRC and the bytes."""
    length, position = read_varint(data, 0, section="string tensor")
    lengths = length.to_bytes(4 if length <= 0xFFFFFFFF else 8, "little")
    stored, content = data[position : position + 4], data[position + 4 :]
    if len(content) != length or int.from_bytes(stored, "little") != masked_crc(lengths):
        raise CorruptError("the length does not match its checksum", section="string tensor", offset=0)
    return content, mask(crc32c(content, crc32c(stored, crc32c(lengths))))


def _layout(found: ReadIndex, values: _Values, cache: BundleCache) -> Layout:
    """The layout of this index with the graph that its checksum names: equal ones were read before."""
    graph = found.index.entries.get(GRAPH_KEY)
    if graph is None:
        key: tuple[int, int | None] = (id(found.index), None)
    elif values.shard_is_there(graph):
        key = (id(found.index), found.crc(graph))
    else:
        return _make_layout(found.index, *_roles(found.index, graph, values))
    known = cache.layouts.get(key)
    if known is not None and known[0] is found.index:
        return known[1]
    roles, reason = _roles(found.index, graph, values)
    layout = _make_layout(found.index, roles, reason)
    if reason is None:
        while len(cache.layouts) >= _KEPT_LAYOUTS:
            cache.layouts.pop(next(iter(cache.layouts)))
        cache.layouts[key] = (found.index, layout)
    return layout


def _roles(index: BundleIndex, graph: BundleEntry | None, values: _Values) -> tuple[GraphRoles | None, str | None]:
    """The roles, or why they are not known."""
    if graph is None:
        return name_roles(index.entries), None
    if graph.size > MAX_GRAPH:
        return None, f"the object graph has {graph.size:,} bytes, more than is read"
    data = values.read([graph]).get(GRAPH_KEY)
    if data is None:
        return None, f"the object graph cannot be read: {values.reason}"
    try:
        message = parse_graph(data)
    except FormatError as error:
        return None, str(error)
    return graph_roles(
        message, lambda name: name in index.entries and index.entries[name].dtype in dtypes.TRAINABLE
    ), None


def _make_layout(index: BundleIndex, roles: GraphRoles | None, reason: str | None) -> Layout:
    roles_known = roles or GraphRoles(weights=frozenset(), optimizer=frozenset(), has_optimizer=False, counters=Counters())
    variables = tuple(
        _variable(entry, index.slice_bytes, roles_known) for name, entry in index.entries.items() if name != GRAPH_KEY
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
    return Layout(variables=variables, counters=roles_known.counters, facts=facts)


def _variable(entry: BundleEntry, slice_bytes: Mapping[str, int], roles: GraphRoles) -> Variable:
    count = 1
    for size in entry.shape or ():
        count *= size
    sliced = slice_bytes.get(entry.name)
    return Variable(
        name=entry.name,
        dtype=entry.dtype,
        shape=entry.shape,
        bytes=entry.size if sliced is None else sliced,
        role=roles.role(entry.name),
        shard=entry.shard if sliced is None else None,
        offset=entry.offset if sliced is None else None,
        parameters=count,
    )


def _with_counters(layout: Layout, values: _Values) -> Facts:
    counters = layout.counters
    tiers = (counters.iterations, counters.global_step, counters.step)
    keys = [key for tier in (*tiers, counters.epoch, counters.save_counter) for key in tier]
    numbers = values.integers(keys)
    steps = [max(known) for tier in tiers if (known := [(numbers[key], key) for key in tier if key in numbers])]
    best = next((step for step in steps if step[0] > 0), steps[0] if steps else None)
    reason = layout.facts.step_reason
    if best is None and reason is None:
        wanted = any(key for tier in tiers for key in tier)
        reason = f"the step cannot be read: {values.reason}" if wanted else "the file has no counter of steps"
    return replace(
        layout.facts,
        step=None if best is None else Sourced(value=best[0], source=best[1].removesuffix(VALUE_SUFFIX)),
        step_reason=None if best is not None else reason,
        epoch=_first(counters.epoch, numbers),
        save_counter=_first(counters.save_counter, numbers),
    )


def _first(keys: tuple[str, ...], numbers: Mapping[str, int]) -> Sourced | None:
    for key in keys:
        if key in numbers:
            return Sourced(value=numbers[key], source=key.removesuffix(VALUE_SUFFIX))
    return None
