"""What is fuzzed: one target for each parser that is our own, with the inputs that it starts from.

A target takes bytes and lets nothing out but a FormatError. Checksums would stop a fuzzer, which cannot guess them:
where a format has them, the bytes are wrapped in what is around them, with checksums that hold. What was read must also
fit into a database: whole numbers of 64 bits, text that is text.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from core.base.errors import FormatError, TruncatedError
from core.base.facts import Facts
from core.formats import bundle, json_text, ocdbt, orbax, saved_model, state_file, v1, zarr
from core.formats.bundle import BundleCache
from core.formats.checksum import crc32c, masked_crc
from core.formats.h5_tree import check_end
from core.formats.object_graph import graph_roles, parse_graph
from core.formats.orbax_items import TEMPORARY
from core.formats.sstable import LazyTable, read_table
from core.formats.zip_members import Archive
from core.metrics import tensorboard
from core.metrics.kept_bytes import from_bytes, to_bytes
from core.metrics.registry import source_of
from core.metrics.summary import MOST_KEPT, summarised
from fuzz.memory import MemoryStore
from fuzz.seeds import ORBAX_ARRAYS, SEEDS, SPLIT
from tests.support import builders
from tests.support.builders import RAW, SNAPPY, block, table, table_of_blocks
from tests.support.event_bytes import frame

_LIMIT = 1 << 20
_ALIKE = 50  # records of one form are read together


class Target(NamedTuple):
    """A parser fed with bytes, and inputs that it takes."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


def check_facts(facts: Facts) -> None:
    """What was read can be kept: numbers of 64 bits, text without halves of characters."""

    def check(value: object) -> None:
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, int):
            assert -(1 << 63) <= value < 1 << 63, value
        elif isinstance(value, tuple):
            for part in value:
                check(part)

    check(tuple(facts))


def _table(data: bytes) -> None:
    read_table(data)
    LazyTable.open(len(data), lambda offset, length: data[offset : offset + length]).get(b"")


def _blocks(data: bytes) -> None:
    """The first byte says how the blocks are compressed, the rest are the blocks, the last one being the pointers."""
    kind = SNAPPY if data[:1] == b"\1" else RAW
    *blocks, pointers = data[1:].split(SPLIT)
    read_table(table_of_blocks(blocks, kind, pointers=pointers or None))


def _snappy(data: bytes) -> None:
    """Bytes in the place of a compressed block."""
    whole = table_of_blocks([data], pointers=block([(b"a", builders.varint(0) + builders.varint(len(data)))]))
    content = bytearray(whole)
    content[len(data)] = SNAPPY
    crc = masked_crc(bytes(content[: len(data) + 1]))
    content[len(data) + 1 : len(data) + 5] = crc.to_bytes(4, "little")
    read_table(bytes(content))


def _bundle(data: bytes) -> None:
    """A data block of an index, and a shard."""
    content, _, shard = data.partition(SPLIT)
    files = {"c.index": table_of_blocks([content], keys=[b"\xff"]), "c.data-00000-of-00001": shard}
    facts, _ = bundle.read(MemoryStore(files), "", "c", builders.stats(files), BundleCache())
    check_facts(facts)


def _graph(data: bytes) -> None:
    roles = graph_roles(parse_graph(data), lambda key: len(key) % 2 == 0, lambda key: len(key) % 3 == 0)
    assert not roles.weights & roles.optimizer


def _v1(data: bytes) -> None:
    """The list of variables, and the counter's value."""
    meta, _, counter = data.partition(SPLIT)
    file = table([(b"", meta), (b"\0global_step\0\1\0", counter)])
    facts, _ = v1.read(MemoryStore({"model": file}), "model", len(file))
    check_facts(facts)


def _zip(data: bytes) -> None:
    archive = Archive(io.BytesIO(data))
    for name in list(archive.members)[:5]:
        assert archive.members[name].offset <= len(data)
        archive.read(name, _LIMIT)


def _json(data: bytes) -> None:
    found: Any = json_text.parse(data, "document")
    json.dumps(found, ensure_ascii=False).encode()


def _superblock(data: bytes) -> None:
    """Bytes may follow a file's end, which is nobody's concern; a file that stops before it is refused."""
    end = check_end(io.BytesIO(data), len(data))
    assert 0 <= end <= len(data)
    cut = data[: max(end - 1, 0)]
    try:
        check_end(io.BytesIO(cut), len(cut))
    except FormatError:
        return
    raise AssertionError(f"a file of {len(cut)} bytes is taken for one that ends at {end}")


def _saved_model(data: bytes) -> None:
    facts, _ = saved_model.read(MemoryStore({"saved_model.pb": data}), "", ("saved_model.pb",), None)
    check_facts(facts)


def _orbax(data: bytes) -> None:
    """What a step says of itself and its tree: in a save that never finished, whose arrays are not looked at, and in a
    finished one, which has the seed's arrays.
    """
    top, _, tree = data.partition(SPLIT)
    names = {"_CHECKPOINT_METADATA": top, "pytree/_METADATA": tree}
    for folder, files in ((f"7{TEMPORARY}", names), ("7", names | ORBAX_ARRAYS)):
        store = MemoryStore({f"{folder}/{name}": content for name, content in files.items()})
        facts, _ = orbax.read(store, folder, tuple(files))
        check_facts(facts)


def _ocdbt(data: bytes) -> None:
    """The bodies of a manifest and of the node that it leads to."""
    manifest, _, node = data.partition(SPLIT)

    def fetch(name: str, offset: int, most: int) -> bytes:
        is_manifest = name == ocdbt.MANIFEST
        magic, body = (ocdbt.MANIFEST_MAGIC, manifest) if is_manifest else (ocdbt.NODE_MAGIC, node)
        length = len(body) + 18 if is_manifest else most
        if length > _LIMIT:
            raise TruncatedError("it ends before", section=name, offset=offset)
        part = magic + length.to_bytes(8, "little") + b"\0\0" + body
        return part + crc32c(part).to_bytes(4, "little")

    for name, value in ocdbt.read(fetch).items():
        assert value.content is None or len(value.content) == value.length, name


def _zarr(data: bytes) -> None:
    """An array's description and its only chunk."""
    description, _, chunk = data.partition(SPLIT)
    kind = ".zarray" if b'"zarr_format": 2' in description else "zarr.json"
    contents = {f"a/{kind}": description, "a/c": chunk}
    values = {name: ocdbt.Value("", 0, len(content), content) for name, content in contents.items()}

    def read(value: ocdbt.Value) -> bytes:
        return value.content or b""

    array = zarr.arrays(values, read)["a"]
    value = zarr.integer("a", array, values, read)
    assert value is None or -(1 << 63) <= value < 1 << 64


def _state(data: bytes) -> None:
    found = state_file.parse("run/checkpoint", data)
    assert (found.latest is None) == bool(found.error or found.unreadable)
    state_file.times_by_name(found)


def _events(data: bytes) -> None:
    """The contents of an event file's records, and what stands behind them."""
    *contents, rest = data.split(SPLIT)
    check_reading("events.out.tfevents.1", b"".join(map(frame, contents)) + rest)
    one, many = (_points(frame(contents[0]) * count if contents else b"") for count in (1, _ALIKE))
    assert many == [(tag, points * _ALIKE) for tag, points in one]


def _points(data: bytes) -> list[tuple[str, list[str]]]:
    reading = tensorboard.read(MemoryStore({"e": data}), "e", None)
    return [(one.tag, [repr(point) for point in one.points()]) for one in reading.series]


def _log(data: bytes) -> None:
    """A table."""
    check_reading("training.csv", data)


def _settings(data: bytes) -> None:
    """YAML, flags, JSON of settings, of a trial and of metrics, MLflow's lines."""
    for path in ("hparams.yaml", "wandb/files/config.yaml", "flags.txt", "params.json", "trial.json", "result.json"):
        check_reading(path, data)
    check_reading("run/metrics/loss", data, {"run/meta.yaml": b""})


def check_reading(path: str, data: bytes, others: Mapping[str, bytes] = MappingProxyType({})) -> None:
    """What is read of a metrics file can be kept, and read in two parts it is the same."""
    store = MemoryStore({path: data, **others})
    source = source_of(path, lambda folder: [one.rpartition("/")[2] for one in others if one.startswith(folder)])
    assert source is not None
    whole = source.read(store, path, None)
    told = (whole.parameters, [one.tag for one in whole.series], whole.texts, whole.problems, whole.position)
    json.dumps(told, ensure_ascii=False).encode()
    for one in whole.series:
        assert len(one.x) == len(one.wall_time) == len(one.values) > 0
        summary = summarised(None, one)
        assert summary is not None
        assert len(from_bytes(to_bytes(summary.kept))) == len(summary.kept) <= MOST_KEPT
    if source.grows:
        store.files = {path: data[: len(data) // 2], **others}
        first = source.read(store, path, None)
        store.files = {path: data, **others}
        second = source.read(store, path, first.position)
        parts = [second] if second.is_anew else [first, second]
        assert sum(len(one) for part in parts for one in part.series) == sum(map(len, whole.series))


TARGETS: Mapping[str, Target] = {
    "table": Target(_table, SEEDS["table"]),
    "blocks": Target(_blocks, SEEDS["blocks"]),
    "snappy": Target(_snappy, SEEDS["snappy"]),
    "bundle": Target(_bundle, SEEDS["bundle"]),
    "object_graph": Target(_graph, SEEDS["object_graph"]),
    "state_file": Target(_state, SEEDS["state_file"]),
    "v1": Target(_v1, SEEDS["v1"]),
    "zip_members": Target(_zip, SEEDS["zip_members"]),
    "json_text": Target(_json, SEEDS["json_text"]),
    "superblock": Target(_superblock, SEEDS["superblock"]),
    "saved_model": Target(_saved_model, SEEDS["saved_model"]),
    "ocdbt": Target(_ocdbt, SEEDS["ocdbt"]),
    "zarr": Target(_zarr, SEEDS["zarr"]),
    "orbax": Target(_orbax, SEEDS["orbax"]),
    "events": Target(_events, SEEDS["events"]),
    "log": Target(_log, SEEDS["log"]),
    "settings": Target(_settings, SEEDS["settings"]),
}


def run(name: str, data: bytes) -> None:
    """Feed a target; a FormatError is the documented answer to bytes that are none of its format."""
    try:
        TARGETS[name].run(data)
    except FormatError as error:
        str(error).encode()
