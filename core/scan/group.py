"""From a folder's listing to units: which files are saved and restored together. Names only; contents come later."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from core.model import FileStat, Format, Listing
from core.scan.walk import NAMELESS_INDEX, OWN_FILES, SAVED_MODEL_FILES, is_named_as_save, is_orbax

_SHARD = re.compile(r"(?P<prefix>.*)\.data-(?P<number>\d{5,})-of-(?P<count>\d{5,})", re.DOTALL)
_TEMP = re.compile(r"(?P<folder>(?:.+/)?[^/]*_temp(?:_[0-9a-f]{32})?)/[^/]+", re.DOTALL)
_TEMP_STATE = re.compile(r".+\.tempstate\d+|checkpoint\.tmp[0-9a-f]+", re.DOTALL)
_SHARDED_H5 = re.compile(r"(?P<stem>.+)_\d{5}\.weights\.h5", re.DOTALL)
_SAVED_MODEL_PART = re.compile(
    r"saved_model\.pb(?:txt)?|fingerprint\.pb|keras_metadata\.pb|(?:variables|assets|assets\.extra|debug)/.*", re.DOTALL
)
_EVENTS = ".tfevents."
# Formats that other tools' files may look like, and how many files such a look-alike has.
_DOUBTFUL = {Format.TF_BUNDLE: 1, Format.HDF5: 1, Format.TF_V1: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The files of one checkpoint; `name` is its path relative to the folder ('' where the folder itself is it)."""

    name: str
    format: Format
    files: tuple[FileStat, ...]


@dataclass(slots=True)
class Groups:
    """A folder's units. `shards_only` are shards without an index, by prefix; `temps` leftovers of saves by name;
    `others` what is nothing that a name tells.
    """

    checkpoints: list[Group] = field(default_factory=list)
    shards_only: dict[str, list[FileStat]] = field(default_factory=dict)
    temps: dict[str, list[FileStat]] = field(default_factory=dict)
    states: list[FileStat] = field(default_factory=list)
    events: list[FileStat] = field(default_factory=list)
    others: list[FileStat] = field(default_factory=list)
    is_nameless: bool = False

    @property
    def has_units(self) -> bool:
        """Whether anything here belongs to a run by itself (not only the folder as a whole)."""
        named = any(group.name for group in self.checkpoints)
        return bool(named or self.is_nameless or self.shards_only or self.temps or self.states or self.events)

    @property
    def all_doubtful(self) -> bool:
        """Whether everything here may turn out to be another tool's files: an index without shards, HDF5, TF1's V1,
        or nothing but a file called `checkpoint`.
        """
        if self.shards_only or self.temps or self.events or (self.states and self.checkpoints):
            return False
        return all(one.format in _DOUBTFUL and len(one.files) <= _DOUBTFUL[one.format] for one in self.checkpoints)


def group(listing: Listing) -> Groups:
    """The units of a listing."""
    result = Groups()
    base = listing.folder.rpartition("/")[2]
    files = {file.name: file for file in listing.files if file.name not in OWN_FILES}
    if is_orbax(files, listing.folder):
        if files:
            result.checkpoints.append(Group(name="", format=Format.ORBAX, files=tuple(files.values())))
        return result
    if any(name in files for name in SAVED_MODEL_FILES):
        parts = tuple(file for name, file in files.items() if _SAVED_MODEL_PART.fullmatch(name))
        result.checkpoints.append(Group(name="", format=Format.SAVED_MODEL, files=parts))
        for file in parts:
            del files[file.name]
    result.is_nameless = NAMELESS_INDEX in files and not is_named_as_save(base)
    _bundles(files, listing.outside, result)
    _keras(files, result)
    for name in list(files):
        if name == "checkpoint":
            result.states.append(files.pop(name))
        elif _EVENTS in name:
            result.events.append(files.pop(name))
    _v1(files, result)
    result.others = list(files.values())
    return result


def _bundles(files: dict[str, FileStat], outside: Collection[str], result: Groups) -> None:
    shards: dict[str, list[FileStat]] = {}
    for name in list(files):
        if ".data-" in name and "/" not in name and (match := _SHARD.fullmatch(name)):
            shards.setdefault(match["prefix"], []).append(files.pop(name))
        elif "/" in name and (match := _TEMP.fullmatch(name)):
            result.temps.setdefault(match["folder"], []).append(files.pop(name))
        elif ".t" in name and _TEMP_STATE.fullmatch(name):
            result.temps.setdefault(name, []).append(files.pop(name))
    for name in [name for name in files if name.endswith(".index")]:
        prefix = name.removesuffix(".index")
        meta = [files.pop(f"{prefix}.meta")] if f"{prefix}.meta" in files else []
        parts = (files.pop(name), *sorted(shards.pop(prefix, ())), *meta)
        result.checkpoints.append(Group(name=prefix, format=Format.TF_BUNDLE, files=parts))
    # An index behind a link out of the root is not looked at, but there: its shards are no leftover.
    result.shards_only = {prefix: parts for prefix, parts in shards.items() if f"{prefix}.index" not in outside}


def _keras(files: dict[str, FileStat], result: Groups) -> None:
    sharded: dict[str, list[FileStat]] = {}
    for name in [name for name in files if name.endswith(".weights.json")]:
        sharded[name.removesuffix(".weights.json")] = [files.pop(name)]
    for name in list(files):
        if (match := _SHARDED_H5.fullmatch(name)) and match["stem"] in sharded:
            sharded[match["stem"]].append(files.pop(name))
    for stem, parts in sharded.items():
        group_name = f"{stem}.weights.json"
        result.checkpoints.append(Group(name=group_name, format=Format.WEIGHTS_H5_SHARDED, files=tuple(parts)))
    endings = (
        (".keras", Format.KERAS),
        (".weights.h5", Format.WEIGHTS_H5),
        (".weights.h5.bkp", Format.WEIGHTS_H5),  # BackupAndRestore's one before, kept with double_checkpoint=True
        (".h5", Format.HDF5),
        (".hdf5", Format.HDF5),
    )
    for name in list(files):
        kind = next((form for ending, form in endings if name.endswith(ending) and name != ending), None)
        if kind is not None:
            result.checkpoints.append(Group(name=name, format=kind, files=(files.pop(name),)))


def _v1(files: dict[str, FileStat], result: Groups) -> None:
    """TF1's single-file checkpoints: a file beside its own `.meta`. Whether it is a table, its content tells."""
    for name in list(files):
        if name not in files or f"{name}.meta" not in files:
            continue  # or taken already, as the .meta of another
        parts = (files.pop(name), files.pop(f"{name}.meta"))
        result.checkpoints.append(Group(name=name, format=Format.TF_V1, files=parts))
