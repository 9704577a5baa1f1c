"""docs/formats.md names the limits that the code has."""

from pathlib import Path

import pytest

from core.formats import (
    bundle,
    bundle_index,
    fingerprint,
    hdf5,
    json_text,
    keras_zip,
    message_fields,
    object_graph,
    orbax_json,
    orbax_tree,
    sstable,
    state_file,
    v1,
    zip_members,
)
from core.workers import parser_pool
from core.workers.h5 import __main__ as h5_worker
from core.workers.h5 import objects

TEXT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
ROWS = dict(line.strip("| ").split(" | ", 1) for line in TEXT.splitlines() if line.startswith("| "))


def mib(size: int) -> str:
    return f"{size >> 20} MiB"


@pytest.mark.parametrize(
    ("part", "limits"),
    [
        ("bundle index", [mib(bundle.MAX_INDEX), f"{sstable.MAX_ENTRIES:,} entries"]),
        ("bundle index", [f"{bundle_index._MOST_SHARDS:,} shards", f"{bundle_index._MOST_AXES} axes"]),
        ("one block of a table", [mib(sstable.MAX_BLOCK), f"{mib(sstable.MAX_UNPACKED)} of all"]),
        ("one block of a table", [f"keys of {sstable.MAX_KEY:,} bytes"]),
        ("object graph", [mib(bundle.MAX_GRAPH), f"{object_graph.MAX_NODES:,} nodes"]),
        ("object graph", [f"{object_graph.MAX_LINKS:,} links"]),
        ("V1", [mib(v1.MAX_META), f"{v1.MAX_VARIABLES:,} variables"]),
        ("state file", [mib(state_file.MAX_SIZE)]),
        ("zip", [f"{zip_members.MAX_MEMBERS:,} members", f"a directory of {mib(zip_members.MAX_DIRECTORY)}"]),
        ("zip", [f"`config.json` of {mib(keras_zip.MAX_CONFIG)}", f"deflated {mib(keras_zip.MAX_UNPACKED)}"]),
        ("HDF5", [f"{objects.MAX_OBJECTS:,} objects", f"{objects.MAX_DEPTH} levels"]),
        (
            "HDF5",
            [
                f"{mib(h5_worker.MEMORY)} of memory",
                f"{parser_pool.SECONDS:g} seconds of a processor ({parser_pool.WAIT:g} by the clock)",
            ],
        ),
        ("`.weights.json`", [mib(hdf5.MAX_MAP), f"{hdf5.MAX_SHARDS:,} shards"]),
        ("Orbax", [mib(orbax_json.MAX_JSON), f"{orbax_tree.MAX_VARIABLES:,} variables"]),
        ("any JSON", [f"{json_text.MAX_MARKS:,} brackets"]),
        ("`saved_model.pb`", [f"{message_fields.MAX_FIELDS:,} fields"]),
        ("sums", [f"2^{fingerprint.LARGEST.bit_length() - 1} bytes"]),
    ],
)
def test_limits_are_those_of_the_code(part: str, limits: list[str]) -> None:
    assert [limit for limit in limits if limit not in ROWS[part]] == []
