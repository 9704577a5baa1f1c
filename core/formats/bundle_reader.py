"""TensorFlow's bundle, read as a checkpoint."""

import contextlib

from core.base.errors import FormatError
from core.formats import bundle
from core.formats.bundle import BundleCache
from core.formats.spec import Group, Reading, Unit
from core.stores.store import Store
from waypoint_resume.data_cache import LOOKED_INTO, is_cache_table
from waypoint_resume.names import join


def read(store: Store, unit: Unit, cache: BundleCache) -> Reading:
    """A bundle's facts and variables."""
    facts, variables = bundle.read(store, unit.folder, unit.name, unit.files, cache)
    return Reading(format=unit.format, facts=facts, variables=variables)


def is_foreign(unit: Unit, error: FormatError) -> bool:
    """Another tool's `.index`, which has no shards beside it, or the files of tf.data's cache."""
    return (len(unit.files) == 1 and error.section == "footer") or error.section == bundle.DATA_CACHE


def shows_itself(store: Store, folder: str, group: Group) -> bool:
    """Whether an index has its shard and does not begin as that of tf.data's cache: one short read."""
    with contextlib.suppress(OSError):
        return len(group.files) > 1 and not is_cache_table(store.read(join(folder, f"{group.name}.index"), LOOKED_INTO))
    return False
