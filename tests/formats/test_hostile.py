"""Hostile files, through all that a scan does with a folder: each costs little and spoils itself only."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.base.files import FileStat
from core.formats.fingerprint import LARGEST
from core.formats.json_text import MAX_MARKS
from core.formats.state_file import NOT_ONE
from core.formats.wire.tensor_bundle_pb2 import BundleEntryProto
from core.indexing.folder import read_folder
from core.stores.local import LocalStore
from tests.support import builders, hostile_files, hostile_hdf5
from tests.support import read_folder as reader
from tests.support.bundle_files import put
from tests.support.hostile_files import GIB, MIB, Maker, entries_of, shaped, sparse, text_file, weight_map
from tests.support.hostile_hdf5 import hdf5

READER = Path(reader.__file__)
MEMORY = 200  # megabytes, for one file
CPU = 2.0  # seconds of a processor, for one file
STARTED = 80, 1.0  # what a worker has taken, in megabytes and seconds, before it reads
HUGE = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found in a folder by path, and its state files."""

    found: dict[str, Any]
    states: list[list[str | None]]

    def reason(self, name: str, rule: str) -> str:
        """The only finding's reason."""
        assert self.found[name]["rules"] == [rule]
        reason = self.found[name]["reason"]
        assert isinstance(reason, str)
        assert len(reason) < 2_000
        return reason


def scan(folder: Path) -> Seen:
    """Read a folder in a process of its own, beside a good checkpoint. Asserts what that may cost."""
    put(folder, builders.bundle(builders.trained(7), "good"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(READER.parents[2]), os.environ["PYTHONPATH"]])}
    command = [sys.executable, str(READER), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    cost = answer["cost"]
    assert cost["memory"] < MEMORY, cost
    assert cost["cpu"] < CPU, cost
    assert cost["wall"] < 30, cost
    for memory, cpu in cost["workers"]:
        assert memory < MEMORY + STARTED[0], cost
        assert cpu < CPU + STARTED[1], cost
    good = answer["found"].pop("good")
    assert (good["rules"], good["step"], good["contents"]) == ([], 7, "weights_and_optimizer")
    return Seen(found=answer["found"], states=answer["states"])


def nested(depth: int) -> str:
    return "[" * depth


def many_values(start: str, end: str) -> str:
    """A document of more values than are read."""
    return start + "[]," * (MAX_MARKS // 2) + "[]" + end


@pytest.mark.parametrize(
    ("make", "name", "rule", "reason"),
    [
        (hostile_files.config_bomb, "bad.keras", "not-told", "too-large: bad.keras: config.json"),
        (
            partial(hostile_files.config_bomb, size=900),
            "bad.keras",
            "unreadable-file",
            "corrupt: bad.keras: config.json",
        ),
        (hostile_files.other_method, "bad.keras", "not-told", "neither stored nor deflated"),
        (hostile_files.hidden_directory, "bad.keras", "not-told", "a directory of 4,294,967,296 bytes"),
        (hostile_files.many_members, "bad.keras", "unreadable-file", "it has no model.weights.h5"),
        (hdf5(hostile_hdf5.many_groups), "bad.weights.h5", "not-told", "bad.weights.h5: "),
        (hdf5(hostile_hdf5.links), "bad.weights.h5", "not-told", "it lies in another file, which is not followed"),
        (hdf5(hostile_hdf5.borrowed_counter), "bad.weights.h5", "not-told", "it lies in another file"),
        (hdf5(hostile_hdf5.absurd_extents), "bad.weights.h5", "unreadable-file", "sizes below 0, or adding up to"),
        (entries_of(shaped(HUGE)), "bad", "unreadable-index", "shapes below 0, or adding up to"),
        (entries_of(shaped(-3)), "bad", "unreadable-index", "shapes below 0, or adding up to"),
        (entries_of(shaped(*[HUGE] * 254)), "bad", "unreadable-index", "shapes below 0, or adding up to"),
        (entries_of(shaped(*[HUGE] * 100_000)), "bad", "unreadable-index", "100,000 axes"),
        (
            entries_of(BundleEntryProto(offset=HUGE, size=1)),
            "bad",
            "unreadable-index",
            "a tensor ends at byte",
        ),
        (entries_of(BundleEntryProto(size=HUGE)), "bad", "unreadable-index", "a tensor ends at byte"),
        (
            entries_of(*[BundleEntryProto(size=LARGEST)] * 9),
            "bad",
            "unreadable-index",
            "sizes below 0, or adding up to",
        ),
        (entries_of(shaped(1), shards=100_000), "bad", "not-told", "100,000 shards"),
        (hostile_files.long_keys, "bad", "not-told", "its keys are too long"),
        (hostile_files.snappy_bomb, "bad", "not-told", "its blocks unpack to"),
        (hostile_files.many_tensors, "bad", "not-told", "more than 200,000 entries"),
        (text_file("bad.weights.json", nested(100_000)), "bad.weights.json", "unreadable-file", "nested too deep"),
        (
            text_file("bad.weights.json", many_values('{"weight_map": ', "")),
            "bad.weights.json",
            "not-told",
            "brackets, commas and colons",
        ),
        (
            text_file("bad.weights.json", weight_map(*map(str, range(200_000)))),
            "bad.weights.json",
            "not-told",
            "200,000 shards",
        ),
        (
            text_file("bad.weights.json", weight_map("\\ud800")),
            "bad.weights.json",
            "unreadable-file",
            "half a character",
        ),
        (
            text_file("bad.weights.json", weight_map("/etc/passwd")),
            "bad.weights.json",
            "unreadable-file",
            "no file names",
        ),
    ],
    ids=[
        *("config-bomb", "config-lies", "bzip2", "hidden-directory", "members"),
        *(
            "groups",
            "links",
            "borrowed",
            "extents",
            "dim",
            "negative",
            "dims",
            "axes",
            "offset",
            "size",
            "sizes",
            "shards",
        ),
        *("keys", "snappy", "tensors", "deep-map", "wide-map", "map-of-shards", "half-character", "leads-out"),
    ],
)
def test_a_hostile_file_is_a_finding(tmp_path: Path, make: Maker, name: str, rule: str, reason: str) -> None:
    make(tmp_path)
    seen = scan(tmp_path)
    assert list(seen.found) == [name]
    assert reason in seen.reason(name, rule)


@pytest.mark.parametrize(
    ("name", "size", "found", "rule", "reason"),
    [
        ("bad.index", 8 * GIB, "bad", "not-told", "too-large: bad.index: index: 8,589,934,592 bytes."),
        ("bad.index", 32 * MIB, "bad", "unreadable-index", "corrupt: bad.index: footer"),
        ("bad.keras", 4 * GIB, "bad.keras", "unreadable-file", "corrupt: bad.keras: local header"),
        ("bad.h5", 4 * GIB, "bad.h5", "unreadable-file", "corrupt: bad.h5: superblock"),
        ("bad.weights.json", 4 * GIB, "bad.weights.json", "not-told", "too-large: bad.weights.json: weight map"),
        ("export/saved_model.pb", 4 * GIB, "export", "unreadable-file", "field 0 of wire type 0"),
        ("7/_CHECKPOINT_METADATA", 4 * GIB, "7", "not-told", "too-large: 7: _CHECKPOINT_METADATA"),
        ("7/pytree/_METADATA", 4 * GIB, "7", "not-told", "too-large: 7: pytree/_METADATA"),
    ],
    ids=["index", "smaller-index", "keras", "h5", "map", "graph", "orbax", "tree"],
)
def test_gigabytes_of_nothing_are_a_finding(
    tmp_path: Path, name: str, size: int, found: str, rule: str, reason: str
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    sparse(tmp_path / name, size)
    beside = {"bad.index": "bad.data-00000-of-00001", "7/pytree/_METADATA": "7/_CHECKPOINT_METADATA"}
    put(tmp_path, {beside[name]: b"{}"} if name in beside else {})
    seen = scan(tmp_path)
    assert list(seen.found) == [found]
    assert reason in seen.reason(found, rule)


def test_an_index_of_nothing_and_without_a_shard_is_foreign(tmp_path: Path) -> None:
    sparse(tmp_path / "output.index", 20 * MIB)
    assert scan(tmp_path).found == {}


@pytest.mark.parametrize(
    ("make", "contents", "step", "variables"),
    [
        (hdf5(hostile_hdf5.loops), "weights_only", None, 1),
        (hdf5(hostile_hdf5.endless_counter), "weights_and_optimizer", None, 2),
        (hdf5(hostile_hdf5.nested_optimizers), "unknown", None, 2_500),
        (hdf5(hostile_hdf5.odd_names), "weights_only", None, 5),
    ],
    ids=["loops", "endless", "nested", "names"],
)
def test_hdf5_is_read_without_leaving_the_file(
    tmp_path: Path, make: Maker, contents: str, step: int | None, variables: int
) -> None:
    make(tmp_path)
    (item,) = scan(tmp_path).found.values()
    assert (item["rules"], item["contents"], item["step"], item["variables"]) == ([], contents, step, variables)


def test_attributes_of_hundreds_of_megabytes_cost_a_finding_at_most(tmp_path: Path) -> None:
    hdf5(hostile_hdf5.huge_attributes)(tmp_path)
    assert "too-large: bad.weights.h5: tree" in scan(tmp_path).reason("bad.weights.h5", "not-told")


@pytest.mark.parametrize(
    ("make", "contents", "step", "why"),
    [
        (hostile_files.deep_graph, "weights_only", None, None),
        (hostile_files.crowded_graph, "weights_only", None, None),
        (hostile_files.empty_graph, "unknown", None, "object graph: too many parts of it are empty"),
        (hostile_files.wide_graph, "unknown", None, "object graph: 1,048,576 links, more than 750,000"),
        (hostile_files.many_counters, "weights_only", 44_999, None),
    ],
    ids=["deep", "crowded", "empty", "wide", "counters"],
)
def test_a_hostile_graph_costs_what_it_tells(
    tmp_path: Path, make: Maker, contents: str, step: int | None, why: str | None
) -> None:
    make(tmp_path)
    item = scan(tmp_path).found["bad"]
    assert (item["rules"], item["contents"], item["step"], item["why"]) == ([], contents, step, why)


def test_an_index_may_ask_for_99_999_shards(tmp_path: Path) -> None:
    items = [BundleEntryProto(dtype=1, size=1, shard_id=number) for number in (0, 99_998)]
    entries_of(*items, shards=99_999)(tmp_path)
    reason = scan(tmp_path).reason("bad", "missing-shard")
    assert reason == "1 of 99999 shards is missing: bad.data-99998-of-99999."


def test_names_of_tensors_are_text(tmp_path: Path) -> None:
    names = (b"../../etc/passwd", b"<script>alert(1)</script>", b"a\nb", b"\xff\xfe")
    entries_of(*[BundleEntryProto(dtype=1)] * 4, names=names)(tmp_path)
    assert scan(tmp_path).found["bad"]["variables"] == 4


@pytest.mark.parametrize("name", ["a\nb.keras", "<b>.keras", "..keras.keras", "\x1b[31m.keras", "a\udcff.keras"])
def test_names_of_files_are_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no zip")
    seen = scan(tmp_path)
    assert "no zip signature" in seen.reason(name, "unreadable-file")
    assert seen.reason(name, "unreadable-file").isprintable()


@pytest.mark.parametrize(
    ("content", "rule", "reason"),
    [  # what cannot be read there is needed by no restore, but here is nothing else
        (nested(100_000), "unreadable-file", "none of its items is there"),
        (many_values("", ""), "not-told", "brackets, commas and colons"),
        ('{"item_handlers": {"\\udfff": 1}}', "unreadable-file", "none of its items is there"),
        ('{"item_handlers": {"../../etc": 1}}', "unreadable-file", "this item is missing"),
        ("9" * 10_000, "unreadable-file", "none of its items is there"),
    ],
    ids=["deep", "wide", "half-character", "leads-out", "number"],
)
def test_hostile_orbax_metadata_is_a_finding(tmp_path: Path, content: str, rule: str, reason: str) -> None:
    text_file("7/_CHECKPOINT_METADATA", content)(tmp_path)
    assert reason in scan(tmp_path).reason("7", rule)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [([HUGE, HUGE], "adding up to"), ([10**4000] * 50, "adding up to"), ([2] * 100_000, "")],
    ids=["dims", "digits", "axes"],
)
def test_hostile_orbax_shapes_are_a_finding_or_none(tmp_path: Path, shape: list[int], reason: str) -> None:
    leaf = {
        "key_metadata": [{"key": "trainable_variables"}, {"key": "0"}],
        "value_metadata": {"value_type": "jax.Array", "write_shape": shape},
    }
    text_file("7/_CHECKPOINT_METADATA", "{}")(tmp_path)
    text_file("7/pytree/_METADATA", json.dumps({"tree_metadata": {"0": leaf}}))(tmp_path)
    item = scan(tmp_path).found["7"]
    assert item["rules"] in ([], ["unreadable-file"])


@pytest.mark.parametrize(
    ("content", "rule", "reason"),
    [
        (os.urandom(1) + b"\xff" * 5_000, "unreadable-file", "saved_model.pb"),
        (b"\x12\0" * 20_000, "not-told", "more than 10,000 fields"),
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "unreadable-file", "truncated"),
    ],
    ids=["garbage", "fields", "length"],
)
def test_a_hostile_graph_of_a_saved_model_is_a_finding(tmp_path: Path, content: bytes, rule: str, reason: str) -> None:
    text_file("export/saved_model.pb", content)(tmp_path)
    assert reason in scan(tmp_path).reason("export", rule)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x" * MIB, NOT_ONE),
        (b"model_checkpoint_path: " + b'"" ' * (MIB // 3 - 20), ""),
        (b"a { " * (MIB // 4), NOT_ONE),
        (b'model_checkpoint_path: "a"\n' + b"a { " * (MIB // 4 - 10), "Line 2 is cut"),
        (b"all_model_checkpoint_timestamps: 1e308\n" * 20_000, "names no latest checkpoint"),
    ],
    ids=["token", "pieces", "deep", "deep-below-a-path", "times"],
)
def test_a_hostile_state_file_is_unreadable(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "checkpoint").write_bytes(content)
    ((_, why),) = scan(tmp_path).states
    assert reason in (why or "")
    assert len(why or "") < 500


def test_a_state_file_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    sparse(tmp_path / "checkpoint", GIB)
    assert scan(tmp_path).states == [[None, f"{NOT_ONE}, with 1,073,741,824 bytes"]]


_PLACES = (
    *("bad.index", "bad.data-00000-of-00001", "checkpoint", "bad.keras", "bad.h5", "bad.weights.h5"),
    *("bad.weights.json", "model", "saved_model.pb", "_CHECKPOINT_METADATA", "latest.weights.h5"),
)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


@pytest.mark.parametrize("make", [os.mkfifo, a_socket, Path.mkdir], ids=["pipe", "socket", "folder"])
def test_what_is_no_file_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in _PLACES:
        make(tmp_path / name)
    put(tmp_path, {"model.meta": b"x"})
    seen = scan(tmp_path)
    assert (seen.found, seen.states) == ({}, [])


@pytest.mark.parametrize("make", [os.mkfifo, a_socket, Path.mkdir], ids=["pipe", "socket", "folder"])
@pytest.mark.parametrize("name", _PLACES)
def test_what_takes_a_files_place_while_a_folder_is_read_is_waited_for_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, builders.bundle(builders.trained(7), "good") | {"model.meta": b"x"})
    make(tmp_path / name)
    store = LocalStore(str(tmp_path))
    asked = reader.task(store)
    listed = (*asked.listing.files, FileStat(name, 100, 1))
    result = read_folder(store, replace(asked, listing=replace(asked.listing, files=tuple(sorted(listed)))))
    reader.through_database(result)
    absorbing = name in ("_CHECKPOINT_METADATA", "saved_model.pb")
    assert absorbing or [item.path for item in result.checkpoints if not item.findings] == ["good"]
