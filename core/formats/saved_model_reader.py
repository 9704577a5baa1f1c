"""A SavedModel with the bundle inside it, read as a checkpoint."""

from core.formats import bundle, saved_model
from core.formats.bundle import BundleCache
from core.formats.saved_model_objects import Bundle
from core.formats.spec import Reading, Unit
from core.stores.store import Store

PREFIX = "variables/variables"


def read(store: Store, unit: Unit, cache: BundleCache) -> Reading:
    """A folder's facts and variables."""
    inner = None
    if f"{PREFIX}.index" in unit.files:
        inner = bundle.read(store, unit.folder, PREFIX, unit.files, cache)
    facts, variables = saved_model.read(store, unit.folder, tuple(unit.files), inner)
    if variables and facts.problem is None and saved_model.BINARY in unit.files:
        held = bundle.object_graph(store, unit.folder, PREFIX, unit.files, cache)
        saved_model.check_variables(store, unit.folder, variables, None if held is None else Bundle(*held))
    return Reading(format=unit.format, facts=facts, variables=variables)
