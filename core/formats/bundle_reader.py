"""TensorFlow's bundle, read as a checkpoint."""

from core.base.errors import FormatError
from core.formats import bundle
from core.formats.bundle import BundleCache
from core.formats.spec import Reading, Unit
from core.stores.store import Store


def read(store: Store, unit: Unit, cache: BundleCache) -> Reading:
    """A bundle's facts and variables."""
    facts, variables = bundle.read(store, unit.folder, unit.name, unit.files, cache)
    return Reading(format=unit.format, facts=facts, variables=variables)


def is_foreign(unit: Unit, error: FormatError) -> bool:
    """Another tool's `.index`, which has no shards beside it, or the files of tf.data's cache."""
    return (len(unit.files) == 1 and error.section == "footer") or error.section == bundle.DATA_CACHE
