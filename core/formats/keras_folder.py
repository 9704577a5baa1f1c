"""A model that Keras 3 saved into a folder: `model.save(folder, zipped=False)`, and the presets of KerasHub.

What stands in a `.keras` file lies there by itself: config.json, metadata.json, model.weights.h5, assets/. Keras'
load_model takes the folder by its config.json, unless its name ends in `.keras`; it never looks at metadata.json. Only
that one tells a model of Keras from any folder with a config, or, where it is lost or damaged, a config that describes
a model beside weights; so that contents are asked before names are believed.
"""

import codecs
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from core.base.errors import CorruptError, FormatError, TooLargeError, UnsupportedError
from core.base.facts import Format
from core.formats import h5_tree, keras_zip, lfs, vocabularies
from core.formats.h5_tree import Place
from core.formats.keras_zip import CONFIG, MAX_CONFIG, MAX_METADATA, MAX_PARSED, METADATA, WEIGHTS
from core.formats.spec import BundleCache, FolderFiles, FolderShape, Group, Reading, Unit
from core.stores.store import Store
from waypoint_resume.names import join
from waypoint_resume.packed import packed_name

ASSETS = "assets"
# What KerasHub keeps beside the model that it saved.
_BESIDE = frozenset(
    {"task.json", "task.weights.h5", "preprocessor.json", "tokenizer.json"}
    | {f"{kind}_converter.json" for kind in ("image", "audio", "video")}
)
_OTHER_WEIGHTS = "model.weights.npz"
_SHARDED = "model.weights.json"  # KerasHub's own: Keras alone loads no such folder
_ENDING = ".keras"


def group(folder: FolderFiles) -> Iterator[Group]:
    """The folder's model, whatever else lies beside it."""
    if Format.KERAS_FOLDER not in folder.units:
        return
    own = {CONFIG, METADATA, WEIGHTS, _OTHER_WEIGHTS, *_BESIDE}
    own |= {file for name in (CONFIG, METADATA, WEIGHTS) if (file := packed_name(name, folder.files)) is not None}
    names = [name for name in folder.files if name in own or name.startswith(f"{ASSETS}/")]
    yield Group(name="", format=Format.KERAS_FOLDER, files=tuple(folder.take(name) for name in names))


def is_first(name: str) -> bool:
    """Whether a file is the one by which Keras knows the folder."""
    return name == CONFIG


def read(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """The model's facts: its weights', as those of a model with its architecture."""
    if CONFIG not in unit.files:
        raise CorruptError("it is missing", section=CONFIG)
    if WEIGHTS not in unit.files:
        if _OTHER_WEIGHTS in unit.files:
            raise UnsupportedError(f"its weights are {_OTHER_WEIGHTS}, which is not read", section=WEIGHTS)
        raise CorruptError("it is missing", section=WEIGHTS)
    if unit.folder.endswith(_ENDING):
        why = f"a folder whose name ends in {_ENDING} is taken for a file by load_model: rename it"
        raise UnsupportedError(why, section="name")
    size = unit.files[CONFIG].size
    if size > MAX_CONFIG:
        raise TooLargeError(f"{size:,} bytes, more than {MAX_CONFIG:,}", section=CONFIG)
    config = store.read(join(unit.folder, CONFIG), MAX_PARSED) if size <= MAX_PARSED else None
    if config is not None and config.startswith(codecs.BOM_UTF8):
        raise CorruptError("it begins with a byte order mark, which load_model refuses", section=CONFIG, offset=0)
    version = keras_zip.version_in(_metadata(store, unit.folder, unit.files))
    place = Place(path=join(unit.folder, WEIGHTS))
    outside = keras_zip.described(config, 0, version, place, in_utf8=True)
    parsed = keras_zip.parsed(config, in_utf8=True)
    vocabularies.check(parsed, unit.files, lambda name: _vocabulary(store, unit, name))
    facts, variables = keras_zip.joined(outside, h5_tree.read(store, place))
    return Reading(format=unit.format, facts=facts, variables=variables)


def _vocabulary(store: Store, unit: Unit, name: str) -> bytes | None:
    size = unit.files[name].size
    return store.read(join(unit.folder, name), size) if size <= vocabularies.MAX_VOCABULARY else None


def _is_one(names: Collection[str], _folder: str) -> bool:
    has_all = all(name in names or packed_name(name, names) is not None for name in (CONFIG, METADATA))
    return (has_all or {CONFIG, WEIGHTS}.issubset(names)) and _SHARDED not in names


def _absorbed(store: Store, folder: str, names: Collection[str], subfolders: Sequence[str]) -> Collection[str]:
    return (ASSETS,) if ASSETS in subfolders and _is_one(names, folder) and _is_of_keras(store, folder) else ()


def _is_of_keras(store: Store, folder: str) -> bool:
    """Whether the metadata are those that Keras writes; where they are lost or damaged, whether a config describes a
    model beside weights; where they are compressed, or lie elsewhere as Git LFS keeps them, the weights' name tells.
    """
    try:
        names = {file.name for file in store.members(folder).files}
    except OSError:
        return False
    metadata = _metadata(store, folder, names)
    if keras_zip.version_in(metadata) is not None:
        return True
    if lfs.is_pointer(metadata) or (METADATA not in names and packed_name(METADATA, names) is not None):
        return WEIGHTS in names or packed_name(WEIGHTS, names) is not None
    with suppress(OSError, FormatError):
        keras_zip.described(store.read(join(folder, CONFIG), MAX_PARSED), 0, None, None, in_utf8=True)
        return WEIGHTS in names
    return False


def _metadata(store: Store, folder: str, names: Collection[str]) -> bytes:
    """What metadata.json holds; nothing where it is not there or may not be read, for no restore needs it."""
    with suppress(OSError):
        return store.read(join(folder, METADATA), MAX_METADATA) if METADATA in names else b""
    return b""


SHAPE = FolderShape(is_one=_is_one, absorbed=_absorbed, confirm=_is_of_keras)
