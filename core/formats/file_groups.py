"""Which files of a folder are one checkpoint of TensorFlow's and Keras' formats. Names only; contents come later."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from core.base.facts import Format
from core.formats.saved_model import MARKS
from core.formats.spec import FolderFiles, FolderShape, Group
from core.stores.store import Store

LEFT_BY = Format.TF_BUNDLE  # whose saves leave shards without an index and temporary folders
STATE_FILE = "checkpoint"
EVENTS = ".tfevents."
SHARD = re.compile(r"(?P<prefix>.*)\.data-(?P<number>\d{5,})-of-(?P<count>\d{5,})", re.DOTALL)
_SHARD_END = re.compile(r"\.data-\d{5,}-of-\d{5,}$")
_TEMP = re.compile(r"(?P<folder>(?:.+/)?[^/]*_temp(?:_[0-9a-f]{32})?)/[^/]+", re.DOTALL)
_TEMP_STATE = re.compile(r".+\.tempstate\d+|checkpoint\.tmp[0-9a-f]+", re.DOTALL)
_SHARDED_H5 = re.compile(r"(?P<stem>.+)_\d{5}\.weights\.h5", re.DOTALL)
_SAVED_MODEL_PART = re.compile(
    r"saved_model\.pb(?:txt)?|fingerprint\.pb|keras_metadata\.pb|(?:variables|assets|assets\.extra|debug)/.*", re.DOTALL
)
_SAVED_MODEL_FOLDERS = frozenset({"variables", "assets", "assets.extra", "debug"})
WEIGHT_MAP = ".weights.json"
_NAMELESS_INDEX = ".index"  # of a bundle whose prefix ends in a slash
_SAVE_WORDS = frozenset("checkpoint ckpt cp chkpt model weights step global epoch iter iteration batch save".split())  # noqa: SIM905


def is_index(name: str) -> bool:
    """Whether a file is a bundle's index."""
    return name.endswith(".index")


def is_shard(path: str) -> bool:
    """Whether a file bears the name of a bundle's data shard."""
    return _SHARD_END.search(path) is not None


def bundles(folder: FolderFiles) -> Iterator[Group]:
    """TensorFlow's bundles, by their indexes; shards without one and what a save left go to the folder's leftovers, but
    not what tf.data's cache writes beside its lock.
    """
    files, shards = folder.files, folder.shards_only
    for name in list(files):
        if ".data-" in name and "/" not in name and (match := SHARD.fullmatch(name)):
            shards.setdefault(match["prefix"], []).append(folder.take(name))
        elif "/" in name and (match := _TEMP.fullmatch(name)):
            folder.temps.setdefault(match["folder"], []).append(folder.take(name))
        elif ".t" in name and _TEMP_STATE.fullmatch(name) and f"{name.partition('.data-')[0]}.lockfile" not in files:
            folder.temps.setdefault(name, []).append(folder.take(name))
    for name in [name for name in files if is_index(name)]:
        prefix = name.removesuffix(".index")
        meta = [folder.take(f"{prefix}.meta")] if f"{prefix}.meta" in files else []
        parts = (folder.take(name), *sorted(shards.pop(prefix, ())), *meta)
        yield Group(name=prefix, format=Format.TF_BUNDLE, files=parts)
    # An index behind a link out of the root is not looked at, but there: its shards are no leftover.
    for prefix in [prefix for prefix in shards if f"{prefix}.index" in folder.outside]:
        del shards[prefix]


def saved_model(folder: FolderFiles) -> Iterator[Group]:
    """A SavedModel, which the folder itself is."""
    if Format.SAVED_MODEL in folder.units:
        names = [name for name in folder.files if _SAVED_MODEL_PART.fullmatch(name)]
        yield Group(name="", format=Format.SAVED_MODEL, files=tuple(folder.take(name) for name in names))


def sharded_weights(folder: FolderFiles) -> Iterator[Group]:
    """Keras 3's weights in shards, by the map that names them."""
    sharded = {}
    for name in [name for name in folder.files if name.endswith(WEIGHT_MAP)]:
        sharded[name.removesuffix(WEIGHT_MAP)] = [folder.take(name)]
    for name in list(folder.files) if sharded else ():
        if (match := _SHARDED_H5.fullmatch(name)) and match["stem"] in sharded:
            sharded[match["stem"]].append(folder.take(name))
    for stem, parts in sharded.items():
        yield Group(name=f"{stem}{WEIGHT_MAP}", format=Format.WEIGHTS_H5_SHARDED, files=tuple(parts))


def by_ending(form: Format, *endings: str) -> Callable[[FolderFiles], Iterator[Group]]:
    """Single files that end so; a name that is nothing but the ending is none."""

    def group(folder: FolderFiles) -> Iterator[Group]:
        for name in [name for name in folder.files if name.endswith(endings) and name not in endings]:
            yield Group(name=name, format=form, files=(folder.take(name),))

    return group


def beside_meta(folder: FolderFiles) -> Iterator[Group]:
    """TF1's single-file checkpoints: a file beside its own `.meta`. Whether it is a table, its content tells."""
    for name in list(folder.files):
        if name not in folder.files or f"{name}.meta" not in folder.files or name == STATE_FILE or EVENTS in name:
            continue  # or taken already, as the .meta of another
        parts = (folder.take(name), folder.take(f"{name}.meta"))
        yield Group(name=name, format=Format.TF_V1, files=parts)


def _is_saved_model(names: Collection[str], _folder: str) -> bool:
    return any(name in names for name in MARKS)


def _parts_of_saved_model(
    _store: Store, folder: str, names: Collection[str], _subfolders: Sequence[str]
) -> Collection[str]:
    return _SAVED_MODEL_FOLDERS if _is_saved_model(names, folder) else ()


SAVED_MODEL_SHAPE = FolderShape(is_one=_is_saved_model, absorbed=_parts_of_saved_model)


def _is_nameless_bundle(names: Collection[str], folder: str) -> bool:
    """A bundle whose prefix ended in a slash, in a folder named as one save of several: `ckpt-3`, `step_100`."""
    name = folder.rpartition("/")[2]
    words = frozenset(re.split(r"[^a-z]+", name.lower())) - {""}
    return _NAMELESS_INDEX in names and any(letter.isdigit() for letter in name) and words <= _SAVE_WORDS


NAMELESS_SHAPE = FolderShape(is_one=_is_nameless_bundle)
