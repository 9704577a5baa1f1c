"""Whether a file under any name is a checkpoint of Keras, and whole, by its content."""

from typing import NamedTuple

from core.base.facts import Format, ReadProblem
from core.base.files import FileStat
from core.formats.bundle import BundleCache
from core.formats.h5_tree import SIGNATURE
from core.formats.reading import NOT_JUDGED, read_unit
from core.formats.spec import Unit
from core.stores.store import Store
from waypoint_resume.names import join

_ZIP = b"PK\x03\x04"
# The first bytes; the format; what the file is, and the ending that it needs.
_KINDS = (
    (SIGNATURE, Format.HDF5, ("file of Keras", ".h5 or .weights.h5")),
    (_ZIP, Format.KERAS, ("Keras model", ".keras")),
)


class PutAside(NamedTuple):
    """What a file is, the ending that it needs, and what is wrong with it; None: it is whole as far as its structure
    tells.
    """

    kind: str
    ending: str
    problem: str | None


def model_of(store: Store, folder: str, file: FileStat) -> PutAside | None:
    """What a file of any name is; None for one that Keras did not write, or of which nothing is told. OSError."""
    path = join(folder, file.name)
    head = store.read(path, len(SIGNATURE))
    for start, form, (kind, ending) in _KINDS:
        if head.startswith(start):
            unit = Unit(folder=folder, name=file.name, path=path, format=form, files={file.name: file})
            reading = read_unit(store, unit, BundleCache())
            if reading is None:
                return None
            problem = reading.facts.problem
            return None if _is_open(problem) else PutAside(kind, ending, None if problem is None else problem.detail)
    return None


def _is_open(problem: ReadProblem | None) -> bool:
    return problem is not None and problem.kind in NOT_JUDGED
