"""Reading one checkpoint of any format by its row in the registry, with errors as values."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from core.base.errors import FormatError
from core.base.facts import Facts, Format, ReadProblem, Sourced
from core.base.files import FileStat
from core.base.records import EPOCH_IN_NAME, STEP_IN_NAME
from core.formats import hdf5, keras_zip, lfs
from core.formats.bundle import BundleCache
from core.formats.path_pattern import is_found
from core.formats.registry import spec_of
from core.formats.spec import Reading, Unit
from core.stores.local import told_permission
from core.stores.store import Store
from waypoint_resume.file_names import read_name
from waypoint_resume.names import join, to_text

_log = logging.getLogger(__name__)
_ZIP_MAGIC = b"PK\x03\x04"
# Kinds of core.base.facts.ReadProblem that are damage, and those after which a file may well be whole.
DAMAGE = frozenset({"truncated", "corrupt", "empty", "lfs-pointer"})
NOT_JUDGED = frozenset({"too-large", "unsupported", "unexpected", "hung", "linked", "permission"})
_MOST_FOLDERS = 256  # of a checkpoint, that are looked into for one that is closed
# Files of checkpoints in parts without which they are restored all the same (docs/formats.md).
_UNNEEDED = frozenset(
    {"fingerprint.pb", "keras_metadata.pb", "metadata.json", "commit_success.txt", "_CHECKPOINT_METADATA"}
)

Ahead = Mapping[str, Reading | FormatError | OSError]


def read_ahead(store: Store, paths: Sequence[str]) -> Ahead:
    """Several HDF5 and `.keras` files at once, by path: the worker processes that read them then work side by side."""
    by_kind: dict[bool, list[str]] = {True: [], False: []}
    for path in paths:
        with suppress(OSError):  # it is met again when its turn comes
            by_kind[store.read(path, len(_ZIP_MAGIC)) != _ZIP_MAGIC].append(path)
    found: dict[str, Reading | FormatError | OSError] = {}
    for path, item in zip(by_kind[True], hdf5.read_many(store, by_kind[True]), strict=True):
        found[path] = item if isinstance(item, Exception) else Reading(*item)
    for path, result in zip(by_kind[False], keras_zip.read_many(store, by_kind[False]), strict=True):
        found[path] = result if isinstance(result, Exception) else Reading(Format.KERAS, *result)
    return found


def read_unit(
    store: Store, unit: Unit, cache: BundleCache, *, is_named: bool = False, ahead: Ahead | None = None
) -> Reading | None:
    """Facts and variables of one checkpoint; None for a foreign file that only looks like one.

    `is_named` tells that a state file names it; `ahead` holds what was read already. What is wrong with the files
    stands in the facts: nothing is raised but FileNotFoundError, when the files went away meanwhile.
    """
    try:
        reading = _placeholder(store, unit) or _taken(ahead, unit) or spec_of(unit.format).read(store, unit, cache)
    except FormatError as error:
        if not is_named and spec_of(unit.format).is_foreign(unit, error):
            return None
        denied = _closed_folder(store, unit) if error.kind in DAMAGE else None
        reading = _failed(unit, error.kind, str(error)) if denied is None else _failed(unit, "permission", *denied)
    except FileNotFoundError:
        raise
    except PermissionError as error:
        reading = _failed(unit, "permission", told_permission(error))
    except OSError as error:
        reading = _failed(unit, "unreadable", error.strerror or str(error))
    except Exception as error:  # noqa: BLE001 - whatever a hostile file brings about costs this file alone
        _log.warning("reading %s failed", to_text(unit.path), exc_info=True)
        reading = _failed(unit, "unexpected", f"{type(error).__name__}: {error}")
    facts = with_name(unit.name or unit.folder, _with_path(store, unit, reading.facts))
    return reading if facts is reading.facts else reading._replace(facts=facts)


def _closed_folder(store: Store, unit: Unit) -> tuple[str, str] | None:
    """Why a folder inside of a checkpoint cannot be looked into, and the folder: what is there seems to be missing."""
    if spec_of(unit.format).as_folder is None:
        return None
    waiting = [unit.folder]
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return None
        folder = waiting.pop()
        try:
            waiting += [join(folder, name) for name in store.members(folder).subfolders]
        except PermissionError as error:
            return told_permission(error), folder
        except OSError:
            continue
    return None


def _with_path(store: Store, unit: Unit, facts: Facts) -> Facts:
    """What TensorFlow would not find by its path, although nothing is wrong with it, says so."""
    if facts.problem is not None or not spec_of(unit.format).found_by_pattern:
        return facts
    path = store.absolute(unit.path)
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


def _placeholder(store: Store, unit: Unit) -> Reading | None:
    """A single-file checkpoint that is empty, or a Git LFS pointer; one of several files with a pointer among them."""
    if spec_of(unit.format).in_parts and len(unit.files) > 1:
        name = next((name for name, file in unit.files.items() if _is_pointer(store, unit, file)), None)
        return None if name is None else _failed(unit, "lfs-pointer", lfs.DETAIL, name)
    if len(unit.files) != 1 or not spec_of(unit.format).one_file_tells:
        return None
    (file,) = unit.files.values()
    if file.size == 0:
        return _failed(unit, "empty", "the file has no bytes")
    if _is_pointer(store, unit, file):
        return _failed(unit, "lfs-pointer", lfs.DETAIL)
    return None


def _is_pointer(store: Store, unit: Unit, file: FileStat) -> bool:
    if not len(lfs.START) <= file.size <= lfs.MOST_BYTES or file.name.rpartition("/")[2] in _UNNEEDED:
        return False
    return lfs.is_pointer(_head(store, unit, file.name, len(lfs.START)))


def _head(store: Store, unit: Unit, name: str, length: int) -> bytes:
    return store.read(join(unit.folder, name), length)


def _failed(unit: Unit, kind: str, detail: str, file: str | None = None) -> Reading:
    detail = detail.encode("utf-8", "backslashreplace").decode()  # it may quote names from inside a file
    shown = file or spec_of(unit.format).shown_file(unit.name) or unit.folder
    reason = f"{to_text(shown)}: {detail}"
    problem = ReadProblem(kind=kind, file=shown, detail=detail)
    return Reading(format=unit.format, facts=Facts(contents_reason=reason, step_reason=reason, problem=problem))


def with_name(path: str, facts: Facts) -> Facts:
    """What the content does not tell is taken from the name, where a word there says what its number is.

    A number without a word tells nothing by itself: its series does, see core/runs/name_numbers.py.
    """
    name = read_name(path.rpartition("/")[2])
    if facts.epoch is None and name.epoch is not None:
        facts = facts._replace(epoch=Sourced(value=name.epoch, source=EPOCH_IN_NAME))
    if facts.step is None and name.step is not None and facts.problem is None:
        facts = facts._replace(step=Sourced(value=name.step, source=STEP_IN_NAME))
    return facts
