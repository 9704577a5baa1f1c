"""What is proven damaged by its structure: cut, emptied, with parts missing, or with a checksum that does not hold.

That a framework raises proves nothing, for it does so too where a whole file does not fit. So a file counts as damaged
only where its own format says so. Formats: LevelDB's table (https://github.com/google/leveldb/blob/main/doc/table_format.md),
HDF5's superblock (https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html), zip.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waypoint_resume.files import names_in_folder
from waypoint_resume.keras_folder import CONFIG, WEIGHTS
from waypoint_resume.keras_folder import FORMAT as KERAS_FOLDER
from waypoint_resume.packed import unpack_told

TABLE_MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # the last eight bytes of an SSTable: a bundle's index, a V1 file
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK"
LFS_POINTER = b"version https://git-lfs"
SHARD = re.compile(r"(?P<prefix>.*)\.data-(?P<number>\d{5,})-of-(?P<count>\d{5,})", re.DOTALL)
_PART = re.compile(r"(?P<prefix>part-(?P<number>\d{5,})-of-(?P<count>\d{5,}))\.index")  # in a save's temporary folder
# What TensorFlow's reader says of a checksum that does not hold, a shard that ends early, an index that is none.
_PROOFS = ("Checksum does not match", "Read less bytes", "corrupt", "sstable", "Data loss")
_KERAS_PARTS = ("metadata.json", "config.json", "model.weights.h5")
_ORBAX_TEMP = ".orbax-checkpoint-tmp"
_ORBAX_PARTS = frozenset({"manifest.ocdbt", "_METADATA", ".zarray", "zarr.json", "d", "checkpoint"})


def damage_of(path: Path, kind: str) -> str | None:
    """Why a checkpoint of a format is proven damaged, as a clause; None where that is not proven. OSError."""
    if kind in _BY_FORMAT:
        return _BY_FORMAT[kind](path)
    head, tail = ends_of(path)
    if head.startswith(LFS_POINTER):
        return None  # the content lies elsewhere, whole
    if kind == "tf-v1":
        return None if tail == TABLE_MAGIC else "it has no table's end: it is cut, or no checkpoint"
    return _zip_damage(path) if kind == "keras" and not head.startswith(HDF5_MAGIC) else _hdf5_damage(path)


def _saved_model_damage(path: Path) -> str | None:
    marks = [path / name for name in ("saved_model.pb", "saved_model.pbtxt") if (path / name).is_file()]
    if not any(mark.stat().st_size for mark in marks):
        return "its saved_model.pb is empty"
    return _bundle_damage(str(path / "variables" / "variables"))


def bundle_prefix(path: Path) -> str:
    """A bundle's prefix; that of a folder's bundle without a name ends in a slash."""
    is_nameless = (path / ".index").is_file() and not Path(f"{path}.index").is_file()
    return f"{path}/" if is_nameless else str(path)


def packed_part(prefix: str) -> str | None:
    """What to do with a part of a bundle that lies compressed in its own place, as a clause. OSError."""
    folder, _, name = prefix.rpartition("/")
    names = names_in_folder(Path(folder or "."))
    told = (
        unpack_told(other, names) for other in sorted(names) if other.startswith((f"{name}.data-", f"{name}.index."))
    )
    return next((text for text in told if text is not None), None)


def is_pointer(path: Path) -> bool:
    """Whether a file is Git LFS' stand-in for one that lies elsewhere. OSError."""
    return path.is_file() and ends_of(path)[0].startswith(LFS_POINTER)


def ends_of(path: Path) -> tuple[bytes, bytes]:
    """The first 24 and the last 8 bytes of a file. OSError."""
    with path.open("rb") as file:
        head = file.read(24)
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        return head, file.read(8)


def _bundle_damage(prefix: str) -> str | None:
    index = Path(f"{prefix}.index")
    if not index.is_file():
        return "its index is missing"
    head, tail = ends_of(index)
    if head.startswith(LFS_POINTER):
        return None
    if tail != TABLE_MAGIC:
        return "its index is cut or empty"
    name = prefix.rpartition("/")[2]
    found = [match for other in names_in_folder(index.parent) if (match := SHARD.fullmatch(other))]
    own = [match for match in found if match["prefix"] == name]
    counts = {int(match["count"]) for match in own}
    if not own:
        return "its data shards are missing"
    if not any(len({m["number"] for m in own if int(m["count"]) == count}) >= count for count in counts):
        return "some of its data shards are missing"
    return _table_damage(prefix) if "tensorflow" in sys.modules else None


def index_to_move(path: Path) -> tuple[Path, Path] | None:
    """From where to where the index of a save goes that was killed when TensorFlow had renamed its only shard, and had
    not written the index; `path` is the save's temporary folder. OSError.
    """
    prefix = str(path).rpartition("_temp")[0]
    part, shard = path / "part-00000-of-00001.index", Path(f"{prefix}.data-00000-of-00001")
    if names_in_folder(path) != {part.name} or not shard.is_file() or Path(f"{prefix}.index").exists():
        return None
    return (part, Path(f"{prefix}.index")) if ends_of(part)[1] == TABLE_MAGIC else None


def _temp_damage(path: Path) -> str | None:
    """Why what TensorFlow wrote into a save's temporary folder is not all of it; each part is a bundle."""
    if index_to_move(path) is not None:
        return None
    parts = [match for name in names_in_folder(path) if (match := _PART.fullmatch(name))]
    count = max((int(match["count"]) for match in parts), default=0)
    if len({match["number"] for match in parts if int(match["count"]) == count}) < max(count, 1):
        return "the save was not finished"
    damages = (_bundle_damage(str(path / match["prefix"])) for match in parts)
    return next((f"the save was not finished: {damage}" for damage in damages if damage), None)


def _table_damage(prefix: str) -> str | None:
    """What TensorFlow's reader proves: every tensor is read, and its checksum compared."""
    import tensorflow as tf

    try:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        for name, kind in reader.get_variable_to_dtype_map().items():
            if kind != tf.variant:
                reader.get_tensor(name)
    except Exception as error:  # noqa: BLE001 - told apart by its text: TensorFlow raises IndexError and OpError alike
        return str(error).partition("\n")[0] if any(proof in str(error) for proof in _PROOFS) else None
    return None


def _sharded_damage(path: Path) -> str | None:
    """What is wrong with a `.weights.json` or its shards, which it names."""
    try:
        weight_map = json.loads(path.read_bytes())["weight_map"]
        shards = {
            str(name) for names in weight_map.values() for name in (names if isinstance(names, list) else [names])
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "its list of shards cannot be read"
    for name in sorted(shards):
        shard = path.parent / name
        damage = _hdf5_damage(shard) if shard.is_file() else "it is missing"
        if damage:
            return f"{name}: {damage}"
    return None


def _zip_damage(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in _KERAS_PARTS if name not in archive.namelist()]
            wrong = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        return f"it is no whole zip file: {error}"
    if missing:
        return f"{missing[0]} is missing in it"
    return None if wrong is None else f"the checksum of its {wrong} does not hold"


def _hdf5_damage(path: Path) -> str | None:
    end = _hdf5_end(path)
    if end is None:
        return "it is no HDF5 file: emptied, cut, or written by something else"
    size = path.stat().st_size
    if size < end:
        return f"it ends after {size:,} of {end:,} bytes"
    with contextlib.suppress(ImportError):
        import h5py

        def read(_name: str, item: Any) -> None:  # noqa: ANN401 - h5py has no types
            if isinstance(item, h5py.Dataset):
                item[()]

        try:
            with h5py.File(path, "r") as file:
                file.visititems(read)
        except Exception as error:  # noqa: BLE001 - h5py raises what its C library says, of many kinds
            return f"HDF5 cannot read it to its end: {error}"
    return None


def _hdf5_end(path: Path) -> int | None:
    """The file length that an HDF5 superblock tells; None where there is none."""
    with path.open("rb") as file:
        place, size = 0, path.stat().st_size
        while place < size:
            file.seek(place)
            block = file.read(64)
            if block.startswith(HDF5_MAGIC) and len(block) > 16:
                width, first = (block[13], 24 + 4 * (block[8] == 1)) if block[8] < 2 else (block[9], 12)
                field = block[first + 2 * width : first + 3 * width]
                return place + int.from_bytes(field, "little") if len(field) == width else size + 1
            place = place * 2 or 512
    return None


def _orbax_damage(path: Path) -> str | None:
    """An Orbax save renames itself when it is done, and notes that moment before."""
    if _ORBAX_TEMP in path.name:
        try:
            said = json.loads((path / "_CHECKPOINT_METADATA").read_bytes())
            is_done = bool(said.get("commit_timestamp_nsecs", True))
        except (OSError, ValueError, AttributeError, RecursionError):
            is_done = True  # an older Orbax, which notes nothing
        if not is_done or any(_ORBAX_TEMP in item.name for item in path.iterdir()):
            return "the save was not finished"
    items = [item for item in path.iterdir() if _ORBAX_TEMP not in item.name]  # in which a save was not finished
    parts = (item for top in items for item in (top, *(top.rglob("*") if top.is_dir() else ())))
    return None if any(item.name in _ORBAX_PARTS for item in parts) else "none of its arrays is there"


def _folder_damage(path: Path) -> str | None:
    """What of a Keras model's folder cannot be whole."""
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            return f"its {name} is missing"
    if is_pointer(path / WEIGHTS):
        return None
    try:
        json.loads((path / CONFIG).read_bytes())
    except (ValueError, RecursionError) as error:
        return f"its {CONFIG} is no JSON: {error}"
    return _hdf5_damage(path / WEIGHTS)


_BY_FORMAT: dict[str, Callable[[Path], str | None]] = {
    KERAS_FOLDER: _folder_damage,
    "tf-bundle": lambda path: _bundle_damage(bundle_prefix(path)),
    "saved-model": _saved_model_damage,
    "orbax": _orbax_damage,
    "orbax-unfinished": _orbax_damage,
    "weights-h5-sharded": _sharded_damage,
    "tf-temp": _temp_damage,
}
