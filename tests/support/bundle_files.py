"""Bundles that Keras, tf-keras and TensorFlow wrote, and bundles made of bytes, for several tests."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.facts import Facts, Variable
from core.formats import bundle
from core.formats.bundle import BundleCache
from core.stores.local import LocalStore
from tests.support.written import written_folder

_KINDS = ("keras", "tf_keras")  # one process each: they disturb each other, and there are two cores


def folder() -> Path:
    """The folder that write_bundles.py filled, once for all tests of a process."""
    return written_folder(*(("write_bundles.py", kind) for kind in _KINDS))


@functools.cache
def expected() -> dict[str, Any]:
    """What was saved by its makers' own word, by prefix relative to the folder."""
    found: dict[str, Any] = {}
    for kind in _KINDS:
        found |= json.loads((folder() / f"expected-{kind}.json").read_text(encoding="utf-8"))
    return found


def read(root: Path, prefix: str, cache: BundleCache | None = None) -> tuple[Facts, tuple[Variable, ...]]:
    """A bundle of a root; without a cache as if it were the first."""
    store = LocalStore(str(root))
    inside, _, name = prefix.rpartition("/")
    files = {file.name: file for file in store.members(inside).files}
    return bundle.read(store, inside, name, files, BundleCache() if cache is None else cache)


def put(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder."""
    for name, content in files.items():
        (root / name).write_bytes(content)
    return root
