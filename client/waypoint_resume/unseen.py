"""What lies in a run beside its checkpoints and may be one, or remains of one.

Compressed, in a temporary folder of a save, behind a link that leads to nothing, a part without the rest.

A fresh start that passes it over says so, or is refused where training could go on from it.
"""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from waypoint_resume.checkpoints import ORBAX_TEMP, Found, found_at
from waypoint_resume.damage import SHARD, TABLE_MAGIC, ends_of, index_to_move
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import read_plain
from waypoint_resume.layout import is_inner
from waypoint_resume.names import to_text
from waypoint_resume.packed import UNPACKERS, unpack_told
from waypoint_resume.run_tree import RunTree
from waypoint_resume.state_files import STATE_FILE, latest_named

PACKED, TEMP_SAVE = "packed", "tf-temp"  # beside the formats of a manifest
_ENDINGS = "|".join(UNPACKERS)
_PACKED = re.compile(
    rf"(?:.+\.(?:index|data-\d{{5,}}-of-\d{{5,}}|keras|weights\.h5)|saved_model\.pb(?:txt)?)\.(?:{_ENDINGS})",
    re.DOTALL | re.IGNORECASE,
)
_PACKED_HDF5 = re.compile(rf".+\.(?:h5|hdf5)\.(?:{_ENDINGS})", re.DOTALL | re.IGNORECASE)
_KERAS_WORDS = (b"model_weights", b"layer_names", b"_layer_checkpoint_dependencies", b"keras_version")
_LOOKED_INTO = 1 << 20  # unpacked bytes in which an HDF5 file of Keras names its first groups
_NAMED_AS_CHECKPOINT = re.compile(
    r".*\.(?:data-\d{5,}-of-\d{5,}|keras|weights\.h5)|.*(?:model|weights).*\.(?:h5|hdf5)|.*(?:ckpt|checkpoint).*",
    re.DOTALL | re.IGNORECASE,
)
# Archives that may hold checkpoints, by their names; data sets come in archives too.
_ARCHIVE = re.compile(
    r"(?!.*\.pth?\.tar$).*(?:ckpt|checkpoint|model|weights|saves?(?![a-z])|backup|snapshot|runs?(?![a-z])).*"
    r"\.(?:tgz|tbz2?|txz|tzst|tar(?:\.(?:gz|bz2|xz|zst))?|zip|7z|rar)",
    re.DOTALL | re.IGNORECASE,
)
_NO_CHECKPOINTS = frozenset(
    "logs tb tensorboard summaries plugins train validation val eval test .guild artifacts".split()  # noqa: SIM905
)
_UNFINISHED_FILE = re.compile(r".+\.tempstate\d+", re.DOTALL)
# listed formats: made by make docs
_LISTED = (
    (
        re.compile(r".+\.safetensors(?:\.index\.json)?", re.DOTALL),
        "safetensors",
        b"",
    ),
    (
        re.compile(r".+\.msgpack|.*checkpoint_\d+", re.DOTALL),
        "MessagePack, as Flax writes it",
        bytes.fromhex("808182838485868788898a8b8c8d8e8fdedf"),
    ),
)
# end of listed formats
_SHOWN = 3  # paths in a sentence


def unseen_in(tree: RunTree) -> Iterator[Found]:
    """Compressed checkpoints whose unpacked form is not there, and the temporary folders of TensorFlow's saves."""
    for here, _, files in tree.walk():
        names = set(files)
        for name in files:
            if unpack_told(name, names) is not None and _is_packed_checkpoint(here / name):
                yield found_at(tree.run, here / name, PACKED, here / name)
        for folder in tree.temp_saves(here):
            yield found_at(tree.run, folder, TEMP_SAVE, folder)


def _is_packed_checkpoint(path: Path) -> bool:
    """By its name; where data sets have such names too, by what the unpacked file begins with."""
    if _PACKED.fullmatch(path.name):
        return path.is_file()
    return _PACKED_HDF5.fullmatch(path.name) is not None and path.is_file() and _is_keras_within(path) is True


def _is_keras_within(path: Path) -> bool | None:
    """Whether Keras wrote a compressed HDF5 file; None where it cannot be unpacked here."""
    with contextlib.suppress(Exception), _unpacked(path) as file:  # a cut one raises what its reader says
        head = file.read(_LOOKED_INTO)
        return any(word in head for word in _KERAS_WORDS)
    return None


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    ending = path.name.rpartition(".")[2].lower()
    if ending == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
            yield file
        return
    import bz2
    import gzip
    import lzma

    openers: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}  # nothing here reads zst
    with openers[ending](path, "rb") as file:
        yield file


def dead_links_in(tree: RunTree) -> Iterator[tuple[str, str, bool]]:
    """Links that lead out of the run to what is not there: path, target, and whether it is named as checkpoints are."""
    for here, _, files in tree.walk():
        for path in (here / name for name in files):
            if not path.is_symlink() or path.exists():
                continue
            target = os.path.realpath(path)
            if Path(target).is_relative_to(tree.run):
                continue  # what lay in the run is gone, and no mount brings it back
            named = _is_named_as_checkpoint(path.name) or _is_named_as_checkpoint(os.path.basename(target))
            yield path.relative_to(tree.run).as_posix(), target, named


def closed_folders_in(tree: RunTree) -> Iterator[tuple[str, str, bool]]:
    """Folders that cannot be listed: path, why, and whether they are named as folders of checkpoints are."""
    for here, folders, _ in tree.walk():
        for path in (here / name for name in folders if not (here / name).is_symlink()):
            if (error := tree.problem_of(path)) is not None:
                name = path.relative_to(tree.run).as_posix()
                yield name, error.strerror or str(error), _is_named_as_checkpoint(path.name)


def _is_named_as_checkpoint(name: str) -> bool:
    """Whether a name is one of checkpoints or of their folders."""
    is_folder = is_inner(name) and name.lower() not in _NO_CHECKPOINTS and not name.lower().startswith("eval_")
    return is_folder or _NAMED_AS_CHECKPOINT.fullmatch(name) is not None


def remains_in(tree: RunTree, known: Iterable[str]) -> Iterator[str]:
    """What is told of remains of saves, and of formats that no job of TensorFlow or Keras restores, beside what is
    `known`: their paths.
    """
    told, foreign = set(known), dict[str, list[str]]()
    for here, folders, files in tree.walk():
        place = here.relative_to(tree.run)
        for name in folders:
            path = (place / name).as_posix()
            if ORBAX_TEMP in name and not any(item == path or item.startswith(f"{path}/") for item in told):
                yield f"{path} is passed over, it cannot be restored: the save was not finished"
        for prefix, why in _parts_alone(here, files):
            path = (place / prefix).as_posix()
            if path not in told:
                yield f"{path} is passed over, it cannot be restored: {why}"
        for name in files:
            path = (place / name).as_posix()
            kind, starts = next(((kind, starts) for names, kind, starts in _LISTED if names.fullmatch(name)), ("", b""))
            is_told = not kind or path in told or any(path.startswith(f"{item}/") for item in told)
            if not is_told and (not starts or _starts_with_one_of(here / name, starts)):
                foreign.setdefault(kind, []).append(path)
            if _ARCHIVE.fullmatch(name) and path not in told and not _PACKED.fullmatch(name):
                yield f"{path} is passed over: it is an archive, and what it holds is not looked at"
            elif _is_packed_riddle(here / name, files) and path not in told:
                yield f"{path} is passed over: it is compressed, and what it holds cannot be told here"
        if STATE_FILE in files and (gone := _named_and_gone(here)) is not None:
            yield f"{(place / STATE_FILE).as_posix()} names {gone}, which is not there"
    for kind, paths in foreign.items():
        shown = ", ".join(sorted(paths)[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
        yield f"{shown}: passed over, for resume() does not restore this format ({kind})"


def _is_packed_riddle(path: Path, files: list[str]) -> bool:
    is_packed = _PACKED_HDF5.fullmatch(path.name) is not None and unpack_told(path.name, files) is not None
    return is_packed and path.is_file() and _is_keras_within(path) is None


def _named_and_gone(folder: Path) -> str | None:
    """The checkpoint that TensorFlow's state file in a folder says is the latest, where nothing lies there."""
    with contextlib.suppress(OSError, ResumeError, ValueError):
        latest = latest_named(read_plain(folder / STATE_FILE), folder)
        if latest is not None and not any(os.path.lexists(f"{latest}{end}") for end in ("", ".index", ".meta")):
            return to_text(latest)
    return None


def _parts_alone(here: Path, files: list[str]) -> Iterator[tuple[str, str]]:
    """The prefixes of bundles of which a part lies alone, and what is missing."""
    names = set(files)
    shards = {match["prefix"] for name in files if (match := SHARD.fullmatch(name))}
    for prefix in sorted(shards):
        if f"{prefix}.index" not in names:
            yield prefix, "its index is missing"
    for name in sorted(files):
        prefix = name[: -len(".index")]
        if _UNFINISHED_FILE.fullmatch(name):
            yield name, "the save was not finished"
        elif name.endswith(".index") and prefix not in shards and not _has_packed_shard(prefix, files):
            with contextlib.suppress(OSError):  # other tools have files of such names
                if (here / name).is_file() and ends_of(here / name)[1] == TABLE_MAGIC:
                    yield prefix, "its data shards are missing"


def _has_packed_shard(prefix: str, files: list[str]) -> bool:
    return any(name.startswith(f"{prefix}.data-") for name in files)


def _starts_with_one_of(path: Path, starts: bytes) -> bool:
    with contextlib.suppress(OSError):
        if path.is_file():
            first = ends_of(path)[0][:1]
            return first != b"" and first in starts
    return False


def packed_reason(path: Path) -> str:
    """What to do with a compressed checkpoint."""
    unpacker = UNPACKERS[path.name.rpartition(".")[2].lower()]
    return f"it is compressed: {unpacker} {to_text(path.name)} brings its content."


def temp_reason(path: Path, name: str) -> str:
    """What to do with a save that a kill left in TensorFlow's temporary folder, whose path in the run is `name`."""
    move = index_to_move(path)
    if move is not None:
        above = name.rpartition("/")[0]
        part, index = (os.path.join(above, place.relative_to(path.parent)) for place in move)
        return (
            "a kill ended its save when its data had their name and its index had none: move "
            f"{part} to {index}, and it can be restored."
        )
    return (
        "it is a whole save that a kill left in TensorFlow's temporary folder: tf.train.Checkpoint restores its "
        f"parts ({name}/part-…), or move them out and give them the save's name."
    )
