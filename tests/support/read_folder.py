"""Reads a folder and those in it as a scan does, and prints what it found and what that cost, in its own process.

The peaks are the kernel's VmHWM: `ru_maxrss` of a new process begins with what its parent had. Everything that was
found goes through a database once.
"""

import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from core.catalog.rows import leftovers_to_json, states_to_json
from core.catalog.rows_to_write import checkpoint_to_row, finding_to_row
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderResult, FolderTask
from core.runs.walk import look
from core.stores.local import LocalStore
from core.workers import parser_pool

_NOW_NS = 4_000_000_000 * 1_000_000_000


def task(store: LocalStore, folder: str = "") -> FolderTask:
    """A folder's work long after everything in it was written."""
    return FolderTask(root="r00t", run="", listing=look(store, folder), known=(), now_ns=_NOW_NS, grace_ns=0)


def megabytes(process: int | str) -> float:
    """The most memory that a process has had."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def seconds(process: int) -> float:
    """The processor time that a process took."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def through_database(result: FolderResult) -> None:
    """Raises where a database takes a number or a text not."""
    connection = sqlite3.connect(":memory:")
    for item in result.checkpoints:
        rows = [checkpoint_to_row(item), *(finding_to_row(item.root, item.run, found) for found in item.findings)]
        for value in [value for row in rows for value in row.values()]:
            connection.execute("select ?", (value,))
    connection.execute("select ?, ?", (states_to_json(result.states), leftovers_to_json(result.leftovers)))
    connection.close()


def found(result: FolderResult) -> dict[str, Any]:
    """What a test asks for, by path."""
    return {
        item.path: {
            "rules": [finding.rule for finding in item.findings],
            "reason": "".join(finding.reason for finding in item.findings),
            "contents": item.facts.contents.value,
            "why": item.facts.contents_reason,
            "step": item.facts.step.value if item.facts.step else None,
            "variables": item.facts.variables,
        }
        for item in result.checkpoints
    }


def main() -> None:
    """Read the folder of the first argument, and those in it."""
    store = LocalStore(sys.argv[1])
    asked = [task(store, folder) for folder in ("", *look(store, "").subfolders)]
    memory, cpu, wall = megabytes("self"), time.process_time(), time.monotonic()
    results = [read_folder(store, one) for one in asked]
    cost = {
        "memory": megabytes("self") - memory,
        "cpu": time.process_time() - cpu,
        "wall": time.monotonic() - wall,
        "workers": [(megabytes(one._process.pid), seconds(one._process.pid)) for one in parser_pool.POOL._idle],
    }
    for result in results:
        through_database(result)
    items = {path: item for result in results for path, item in found(result).items()}
    states = [[state.latest, state.unreadable or state.error] for result in results for state in result.states]
    sys.stdout.write(json.dumps({"found": items, "states": states, "cost": cost}))


if __name__ == "__main__":
    main()
