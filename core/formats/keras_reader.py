"""Keras' files, read as checkpoints: its zip, and HDF5 under any name."""

from core.base.errors import FormatError, UnsupportedError
from core.formats import hdf5, keras_zip
from core.formats.spec import BundleCache, Reading, Unit
from core.stores.store import Store
from waypoint_resume.names import join

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_keras(store: Store, unit: Unit, cache: BundleCache) -> Reading:
    """Keras 3's zip, or HDF5: tf.keras wrote that under any name."""
    if store.read(join(unit.folder, unit.name), len(_HDF5_MAGIC)) == _HDF5_MAGIC:
        return read_hdf5(store, unit, cache)
    facts, variables = keras_zip.read(store, unit.path)
    return Reading(format=unit.format, facts=facts, variables=variables)


def read_hdf5(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """Keras' HDF5 files; content tells which."""
    found = hdf5.read_found(store, unit.path)
    return Reading(format=found.format, facts=found.facts, variables=found.variables)


def read_sharded(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """Keras 3's weights in shards."""
    facts, variables = hdf5.read_sharded(store, unit.path, tuple(unit.files))
    return Reading(format=unit.format, facts=facts, variables=variables)


def is_other_hdf5(_unit: Unit, error: FormatError) -> bool:
    """An HDF5 file that Keras did not write."""
    return isinstance(error, UnsupportedError) and not error.section.startswith("/")  # which names a place inside
