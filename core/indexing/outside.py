"""Checkpoints that state files name and that are none of their run's: whether they are there, asked of the disk.

The catalog cannot tell: in the middle of a pass it holds what was true before.
"""

from collections.abc import Iterable

from core.stores.store import Store


def standing(storage: Store, prefixes: Iterable[str]) -> frozenset[str]:
    """Those of some prefixes (relative to the root) that have an index, or are a file of TF1's with its `.meta`."""
    return frozenset(prefix for prefix in prefixes if _stands(storage, prefix))


def _stands(storage: Store, prefix: str) -> bool:
    return _is_file(storage, f"{prefix}.index") or (_is_file(storage, prefix) and _is_file(storage, f"{prefix}.meta"))


def _is_file(storage: Store, path: str) -> bool:
    try:
        storage.stat(path)
    except (OSError, ValueError):  # a state file may name what no disk can hold
        return False
    return True
