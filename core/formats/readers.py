"""Each format's reader with one signature, and what of its look-alikes is no checkpoint at all."""

from core.errors import FormatError, UnsupportedError
from core.formats import bundle, hdf5, keras_zip, orbax, saved_model, v1
from core.formats.bundle import BundleCache
from core.formats.orbax_items import METADATA as ORBAX_MARK
from core.formats.orbax_tree import TREE as ORBAX_TREE
from core.formats.spec import Reading, Unit
from core.fs.storage import Storage
from waypoint_resume.names import join

SAVED_MODEL_PREFIX = "variables/variables"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_bundle(storage: Storage, unit: Unit, cache: BundleCache) -> Reading:
    """TensorFlow's bundle."""
    facts, variables = bundle.read(storage, unit.folder, unit.name, unit.files, cache)
    return Reading(format=unit.format, facts=facts, variables=variables)


def read_v1(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    """TF1's single file."""
    facts, variables = v1.read(storage, unit.path, unit.files[unit.name].size)
    return Reading(format=unit.format, facts=facts, variables=variables)


def read_keras(storage: Storage, unit: Unit, cache: BundleCache) -> Reading:
    """Keras 3's zip, or HDF5: tf.keras wrote that under any name."""
    if storage.read(join(unit.folder, unit.name), len(_HDF5_MAGIC)) == _HDF5_MAGIC:
        return read_hdf5(storage, unit, cache)
    facts, variables = keras_zip.read(storage, unit.path)
    return Reading(format=unit.format, facts=facts, variables=variables)


def read_hdf5(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    """Keras' HDF5 files; content tells which."""
    found = hdf5.read_found(storage, unit.path)
    return Reading(format=found.format, facts=found.facts, variables=found.variables)


def read_sharded(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    """Keras 3's weights in shards."""
    facts, variables = hdf5.read_sharded(storage, unit.path, tuple(unit.files))
    return Reading(format=unit.format, facts=facts, variables=variables)


def read_saved_model(storage: Storage, unit: Unit, cache: BundleCache) -> Reading:
    """A SavedModel with the bundle inside it."""
    inner = None
    if f"{SAVED_MODEL_PREFIX}.index" in unit.files:
        inner = bundle.read(storage, unit.folder, SAVED_MODEL_PREFIX, unit.files, cache)
    facts, variables = saved_model.read(storage, unit.folder, tuple(unit.files), inner)
    return Reading(format=unit.format, facts=facts, variables=variables)


def read_orbax(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    """An Orbax step, with the metrics that its manager keeps beside it."""
    facts, variables = orbax.read(storage, unit.folder, tuple(unit.files))
    metrics = orbax.metrics(storage, unit.folder, tuple(unit.files))
    return Reading(format=unit.format, facts=facts, variables=variables, metrics=metrics)


def is_other_index(unit: Unit, error: FormatError) -> bool:
    """Another tool's `.index`, which has no shards beside it."""
    return len(unit.files) == 1 and error.section == "footer"


def is_no_table(_unit: Unit, error: FormatError) -> bool:
    """Any file beside a `.meta`."""
    return error.section == "footer"


def is_other_tree(unit: Unit, error: FormatError) -> bool:
    """An unmarked folder whose `_METADATA` is another tool's."""
    return ORBAX_MARK not in unit.files and error.section.endswith(ORBAX_TREE) and not _holds_arrays(unit)


def is_other_hdf5(_unit: Unit, error: FormatError) -> bool:
    """An HDF5 file that Keras did not write."""
    return isinstance(error, UnsupportedError) and not error.section.startswith("/")  # which names a place inside


def _holds_arrays(unit: Unit) -> bool:
    return any(name.rpartition("/")[2] in ("manifest.ocdbt", ".zarray", "zarr.json") for name in unit.files)
