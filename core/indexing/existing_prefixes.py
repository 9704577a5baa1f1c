"""Checkpoints that state files name and that are none of their run's: whether they are there, asked of the disk.

The catalog cannot tell: in the middle of a pass it holds what was true before.
"""

from collections.abc import Iterable

from core.stores.store import Store


def existing_prefixes(store: Store, prefixes: Iterable[str]) -> frozenset[str]:
    """Those of some prefixes (relative to the root) that have an index, or are a file of TF1's with its `.meta`."""
    return frozenset(prefix for prefix in prefixes if _exists(store, prefix))


def _exists(store: Store, prefix: str) -> bool:
    return _is_file(store, f"{prefix}.index") or (_is_file(store, prefix) and _is_file(store, f"{prefix}.meta"))


def _is_file(store: Store, path: str) -> bool:
    try:
        store.stat(path)
    except (OSError, ValueError):  # a state file may name what no disk can hold
        return False
    return True
