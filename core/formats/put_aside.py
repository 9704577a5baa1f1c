"""Whether a file under any name is a whole checkpoint of Keras, by its content."""

from core.base.facts import Format
from core.base.files import FileStat
from core.formats.bundle import BundleCache
from core.formats.h5_tree import SIGNATURE
from core.formats.reading import read_unit
from core.formats.spec import Unit
from core.stores.store import Store
from waypoint_resume.names import join

_ZIP = b"PK\x03\x04"
# The first bytes; the format; what the file is, and the ending that it needs.
_KINDS = (
    (SIGNATURE, Format.HDF5, ("a whole file of Keras", ".h5 or .weights.h5")),
    (_ZIP, Format.KERAS, ("a whole Keras model", ".keras")),
)


def whole_model(store: Store, folder: str, file: FileStat) -> tuple[str, str] | None:
    """What a file is, and the ending that it needs; None for one that Keras did not write, or that is not whole as
    far as its structure tells. OSError.
    """
    path = join(folder, file.name)
    head = store.read(path, len(SIGNATURE))
    for start, form, told in _KINDS:
        if head.startswith(start):
            unit = Unit(folder=folder, name=file.name, path=path, format=form, files={file.name: file})
            reading = read_unit(store, unit, BundleCache())
            return told if reading is not None and reading.facts.problem is None else None
    return None
