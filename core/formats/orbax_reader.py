"""An Orbax step, read as a checkpoint, with the metrics that its manager keeps beside it."""

from core.base.errors import FormatError
from core.formats import orbax
from core.formats.orbax_json import METADATA
from core.formats.orbax_tree import TREE
from core.formats.spec import BundleCache, Reading, Unit
from core.stores.store import Store


def read(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """A step's facts, variables and metrics."""
    facts, variables = orbax.read(store, unit.folder, tuple(unit.files))
    metrics = orbax.metrics(store, unit.folder, tuple(unit.files))
    return Reading(format=unit.format, facts=facts, variables=variables, metrics=metrics)


def is_foreign(unit: Unit, error: FormatError) -> bool:
    """An unmarked folder whose `_METADATA` is another tool's."""
    return METADATA not in unit.files and error.section.endswith(TREE) and not _holds_arrays(unit)


def _holds_arrays(unit: Unit) -> bool:
    return any(name.rpartition("/")[2] in ("manifest.ocdbt", ".zarray", "zarr.json") for name in unit.files)
