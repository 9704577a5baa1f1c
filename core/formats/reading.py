"""Reading one checkpoint of any format: the table of formats, and errors as values.

To add a format: a module with a reader, and one line in READERS.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from core.errors import FormatError, UnsupportedError
from core.formats import bundle, hdf5, keras_zip, lfs, orbax, saved_model, v1
from core.formats.bundle import BundleCache
from core.formats.orbax_items import METADATA as ORBAX_MARK
from core.formats.orbax_tree import TREE as ORBAX_TREE
from core.formats.path_pattern import is_found
from core.fs.local import told_permission
from core.fs.storage import Storage
from core.model import EPOCH_IN_NAME, STEP_IN_NAME, Facts, FileStat, Format, ReadProblem, Sourced, Variable
from waypoint_resume.file_names import read_name
from waypoint_resume.names import join, to_text

_log = logging.getLogger(__name__)
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
# Formats that a worker process reads: worth reading several at once.
IN_WORKERS = frozenset({Format.KERAS, Format.HDF5, Format.WEIGHTS_H5})
# Kinds of core.model.ReadProblem that are damage; the others tell that the file could not be judged.
DAMAGE = frozenset({"truncated", "corrupt", "empty", "lfs-pointer"})
# Formats that TensorFlow looks for by a pattern.
PATTERNED = frozenset({Format.TF_BUNDLE, Format.TF_V1, Format.SAVED_MODEL})
_SAVED_MODEL_PREFIX = "variables/variables"


class Unit(NamedTuple):
    """What is to be read: a checkpoint's folder, its name there ('' for the folder itself), its path (both together),
    and its files by name.
    """

    folder: str
    name: str
    path: str
    format: Format
    files: Mapping[str, FileStat]


class Reading(NamedTuple):
    """What was read. `format` may differ from the one that the name suggested; `metrics` are those that the format
    keeps beside the values.
    """

    format: Format
    facts: Facts
    variables: tuple[Variable, ...] = ()
    metrics: Mapping[str, float] = MappingProxyType({})


Ahead = Mapping[str, Reading | FormatError | OSError]


def read_ahead(storage: Storage, paths: Sequence[str]) -> Ahead:
    """Several HDF5 and `.keras` files at once, by path: the worker processes that read them then work side by side."""
    by_kind: dict[bool, list[str]] = {True: [], False: []}
    for path in paths:
        with suppress(OSError):  # it is met again when its turn comes
            by_kind[storage.read(path, len(_ZIP_MAGIC)) != _ZIP_MAGIC].append(path)
    found: dict[str, Reading | FormatError | OSError] = {}
    for path, item in zip(by_kind[True], hdf5.read_many(storage, by_kind[True]), strict=True):
        found[path] = item if isinstance(item, Exception) else Reading(*item)
    for path, result in zip(by_kind[False], keras_zip.read_many(storage, by_kind[False]), strict=True):
        found[path] = result if isinstance(result, Exception) else Reading(Format.KERAS, *result)
    return found


def read_unit(
    storage: Storage, unit: Unit, cache: BundleCache, *, is_named: bool = False, ahead: Ahead | None = None
) -> Reading | None:
    """Facts and variables of one checkpoint; None for a foreign file that only looks like one.

    `is_named` tells that a state file names it; `ahead` holds what was read already. What is wrong with the files
    stands in the facts: nothing is raised but FileNotFoundError, when the files went away meanwhile.
    """
    try:
        reading = _placeholder(storage, unit) or _taken(ahead, unit) or READERS[unit.format](storage, unit, cache)
    except FormatError as error:
        if not is_named and _is_foreign(unit, error):
            return None
        reading = _failed(unit, error.kind, str(error))
    except FileNotFoundError:
        raise
    except PermissionError as error:
        reading = _failed(unit, "permission", told_permission(error))
    except OSError as error:
        reading = _failed(unit, "unreadable", error.strerror or str(error))
    except Exception as error:  # noqa: BLE001 - whatever a hostile file brings about costs this file alone
        _log.warning("reading %s failed", to_text(unit.path), exc_info=True)
        reading = _failed(unit, "unexpected", f"{type(error).__name__}: {error}")
    facts = _with_name(unit, _with_path(storage, unit, reading.facts))
    return reading if facts is reading.facts else reading._replace(facts=facts)


def _with_path(storage: Storage, unit: Unit, facts: Facts) -> Facts:
    """What TensorFlow would not find by its path, although nothing is wrong with it, says so."""
    if facts.problem is not None or unit.format not in PATTERNED:
        return facts
    path = storage.absolute(unit.path)
    if is_found(path):
        return facts
    shown = "".join(dict.fromkeys(mark for mark in path if mark in "[]\\"))
    detail = f"TensorFlow takes {shown} in {to_text(path)} for a pattern"
    return facts._replace(problem=ReadProblem(kind="pattern", file=unit.name or unit.folder, detail=detail))


def _taken(ahead: Ahead | None, unit: Unit) -> Reading | None:
    found = None if ahead is None else ahead.get(unit.path)
    if isinstance(found, Exception):
        raise found
    return found


def _placeholder(storage: Storage, unit: Unit) -> Reading | None:
    """A single-file checkpoint that is empty, or a Git LFS pointer."""
    if len(unit.files) != 1 or unit.format is Format.TF_BUNDLE:
        return None
    (file,) = unit.files.values()
    if file.size == 0:
        return _failed(unit, "empty", "the file has no bytes")
    if file.size <= lfs.MOST_BYTES and lfs.is_pointer(_head(storage, unit, file.name, len(lfs.START))):
        return _failed(unit, "lfs-pointer", lfs.DETAIL)
    return None


def _head(storage: Storage, unit: Unit, name: str, length: int) -> bytes:
    return storage.read(join(unit.folder, name), length)


def _failed(unit: Unit, kind: str, detail: str) -> Reading:
    detail = detail.encode("utf-8", "backslashreplace").decode()  # it may quote names from inside a file
    shown = f"{unit.name}.index" if unit.format is Format.TF_BUNDLE else unit.name or unit.folder
    reason = f"{to_text(shown)}: {detail}"
    problem = ReadProblem(kind=kind, file=shown, detail=detail)
    return Reading(format=unit.format, facts=Facts(contents_reason=reason, step_reason=reason, problem=problem))


def _is_foreign(unit: Unit, error: FormatError) -> bool:
    """Not a checkpoint at all: another tool's `.index`, an HDF5 file that is no Keras file, a file beside a .meta."""
    if unit.format is Format.TF_BUNDLE:
        return len(unit.files) == 1 and error.section == "footer"
    if unit.format is Format.TF_V1:
        return error.section == "footer"
    if unit.format is Format.ORBAX:  # an unmarked folder whose `_METADATA` is another tool's
        return ORBAX_MARK not in unit.files and error.section.endswith(ORBAX_TREE) and not _holds_arrays(unit)
    return unit.format is Format.HDF5 and isinstance(error, UnsupportedError)


def _holds_arrays(unit: Unit) -> bool:
    return any(name.rpartition("/")[2] in ("manifest.ocdbt", ".zarray", "zarr.json") for name in unit.files)


def _with_name(unit: Unit, facts: Facts) -> Facts:
    """What the content does not tell is taken from the name, where a word there says what its number is.

    A number without a word tells nothing by itself: its series does, see core/scan/name_numbers.py.
    """
    name = read_name((unit.name or unit.folder).rpartition("/")[2])
    if facts.epoch is None and name.epoch is not None:
        facts = facts._replace(epoch=Sourced(value=name.epoch, source=EPOCH_IN_NAME))
    if facts.step is None and name.step is not None and facts.problem is None:
        facts = facts._replace(step=Sourced(value=name.step, source=STEP_IN_NAME))
    return facts


def _read_bundle(storage: Storage, unit: Unit, cache: BundleCache) -> Reading:
    facts, variables = bundle.read(storage, unit.folder, unit.name, unit.files, cache)
    return Reading(format=unit.format, facts=facts, variables=variables)


def _read_v1(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    facts, variables = v1.read(storage, unit.path, unit.files[unit.name].size)
    return Reading(format=unit.format, facts=facts, variables=variables)


def _read_keras(storage: Storage, unit: Unit, cache: BundleCache) -> Reading:
    if _head(storage, unit, unit.name, len(_HDF5_MAGIC)) == _HDF5_MAGIC:  # tf.keras wrote HDF5 under any name
        return _read_hdf5(storage, unit, cache)
    facts, variables = keras_zip.read(storage, unit.path)
    return Reading(format=unit.format, facts=facts, variables=variables)


def _read_hdf5(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    found = hdf5.read_found(storage, unit.path)
    return Reading(format=found.format, facts=found.facts, variables=found.variables)


def _read_sharded(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    facts, variables = hdf5.read_sharded(storage, unit.path, tuple(unit.files))
    return Reading(format=unit.format, facts=facts, variables=variables)


def _read_saved_model(storage: Storage, unit: Unit, cache: BundleCache) -> Reading:
    inner = None
    if f"{_SAVED_MODEL_PREFIX}.index" in unit.files:
        inner = bundle.read(storage, unit.folder, _SAVED_MODEL_PREFIX, unit.files, cache)
    facts, variables = saved_model.read(storage, unit.folder, tuple(unit.files), inner)
    return Reading(format=unit.format, facts=facts, variables=variables)


def _read_orbax(storage: Storage, unit: Unit, _cache: BundleCache) -> Reading:
    facts, variables = orbax.read(storage, unit.folder, tuple(unit.files))
    metrics = orbax.metrics(storage, unit.folder, tuple(unit.files))
    return Reading(format=unit.format, facts=facts, variables=variables, metrics=metrics)


READERS: Mapping[Format, Callable[[Storage, Unit, BundleCache], Reading]] = {
    Format.TF_BUNDLE: _read_bundle,
    Format.TF_V1: _read_v1,
    Format.SAVED_MODEL: _read_saved_model,
    Format.KERAS: _read_keras,
    Format.HDF5: _read_hdf5,
    Format.WEIGHTS_H5: _read_hdf5,
    Format.WEIGHTS_H5_SHARDED: _read_sharded,
    Format.ORBAX: _read_orbax,
}
