"""Checkpoints under names that no reader goes by, such as `model.keras.bak`: content tells whether they are whole.

They are in no list to resume from, for their names say that somebody put them aside, and they may be all that is left.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from core.base.files import FileStat
from core.base.records import Leftover
from core.base.sizes import size_text
from core.formats.file_groups import SHARD
from core.formats.put_aside import PutAside, model_of
from core.formats.sstable import MAGIC
from core.runs.group import Groups
from core.runs.remains import DAMAGED_COPY, RENAMED
from core.stores.store import Store
from waypoint_resume.names import join, to_text

_NAMED_SO = re.compile(r".+\.(?:keras|h5|hdf5|ckpt|index)(?![A-Za-z0-9])", re.DOTALL | re.IGNORECASE)
_INDEX = re.compile(r"(?P<prefix>.+)\.index(?![A-Za-z0-9]).*", re.DOTALL | re.IGNORECASE)
_OTHER_FILES = re.compile(
    r".+\.(?:png|jpe?g|gif|bmp|tiff?|webp|wav|mp[34]|txt|md|csv|tsv|json|ya?ml|toml|py|ipynb|log|html?|pdf|npy|npz|pkl|pickle"
    r"|pt|pth|onnx|tflite|meta|msgpack|safetensors|zip|tar|t?gz|bz2|xz|zst|tfrecords?|parquet|pb|pbtxt|lock|sh|ldb|sst)",
    re.DOTALL | re.IGNORECASE,
)
_SHORTEST = 64  # bytes: nothing shorter is a checkpoint
_MOST_LOOKED_INTO = 64  # files of a folder; those first whose names suggest it


def renamed_copies(store: Store, folder: str, files: Iterable[FileStat], groups: Groups) -> Iterator[Leftover]:
    """The checkpoints among those files of a folder that are part of none by their names: whole ones, and damaged ones
    whose name says what they were.
    """
    plain = [file for file in groups.others if "/" not in file.name and file.size >= _SHORTEST]
    suspects = [file for file in plain if not _OTHER_FILES.fullmatch(file.name)]
    suspects.sort(key=lambda file: _NAMED_SO.match(file.name) is None)
    names = {file.name for file in files}
    for file in suspects[:_MOST_LOOKED_INTO]:
        with suppress(OSError):
            told = _told(store, folder, file, names, groups.shards_only)
            if told is not None:
                rule, reason = told
                path = join(folder, file.name)
                yield Leftover(path=path, rule=rule, files=(file,), reason=f"{reason}: {size_text(file.size)}.")


def _told(
    store: Store, folder: str, file: FileStat, names: Collection[str], lone_shards: Collection[str]
) -> tuple[str, str] | None:
    """The rule and its reason."""
    path, shown = join(folder, file.name), to_text(file.name)
    if (model := model_of(store, folder, file)) is not None:
        return _told_of_model(file, model)
    index = _INDEX.fullmatch(file.name)
    if index is None and not lone_shards:
        return None
    if store.read_ranges(path, [(file.size - len(MAGIC), len(MAGIC))])[0] != MAGIC:
        return None
    prefix = index["prefix"] if index is not None else next(iter(lone_shards))
    if any((match := SHARD.fullmatch(name)) and match["prefix"] == prefix for name in names):
        return (
            RENAMED,
            f"{shown} is a bundle's index under another name: TensorFlow reads it as {to_text(prefix)}.index",
        )
    return None


def _told_of_model(file: FileStat, model: PutAside) -> tuple[str, str] | None:
    shown = to_text(file.name)
    if model.problem is None:
        return RENAMED, f"{shown} is a whole {model.kind} under another name: give it the ending {model.ending}"
    if _NAMED_SO.match(file.name) is None:  # nothing says that it was one
        return None
    return DAMAGED_COPY, f"{shown} is a {model.kind} that cannot be read ({model.problem})"
