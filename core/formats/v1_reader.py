"""TF1's single file, read as a checkpoint."""

from core.base.errors import FormatError
from core.formats import v1
from core.formats.spec import BundleCache, Reading, Unit
from core.stores.store import Store


def read(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """A file's facts and variables."""
    facts, variables = v1.read(store, unit.path, unit.files[unit.name].size)
    return Reading(format=unit.format, facts=facts, variables=variables)


def is_foreign(_unit: Unit, error: FormatError) -> bool:
    """Any file beside a `.meta`."""
    return error.section == "footer"
