"""The identity of a checkpoint: what its files hold, never where they lie or when they were written.

A file is read whole up to 32 MiB. Less stands for a bundle's shards: their size, for the index holds a checksum of
every tensor in them. Of a longer zip (`.keras`) the last 64 KiB are read, where its directory holds the checksum of
every member; of anything else that is longer (HDF5, Orbax' data) blocks of 64 KiB in 256 places, both ends among them.
One of that last kind that changed between the blocks alone would pass for the former: the step in its state tells.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.checkpoints import ORBAX_MARK, SAVED_MODEL_FILES
from waypoint_resume.files import names_in_folder
from waypoint_resume.rules import count_value, int_value, matching, path_value
from waypoint_resume.spec import problems_of

WHOLE = 32 << 20  # bytes up to which a file is read whole
_BLOCK = 64 << 10
_PLACES = 256  # blocks that stand for a longer file
_MOST_FILES = 20_000  # of one checkpoint: what has more is none
_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")
_MARKS = (*SAVED_MODEL_FILES, ORBAX_MARK)  # of folders that are checkpoints
_ZIP_END = b"PK\x05\x06"
DIGEST = re.compile(r"[0-9a-f]{32}")
IDENTITY_SPEC: dict[str, Any] = {
    "digest": matching(DIGEST, "digest of 32 hexadecimal digits"),
    "files": [
        {
            "path": path_value,
            "size": count_value,
            "mtime_ns": int_value,
            "digest": matching(DIGEST, "digest of 32 hexadecimal digits"),
        },
    ],
}


@dataclass(frozen=True)
class FileIdentity:
    """One file of a checkpoint: its path relative to the run, size in bytes, time in ns since 1970, and digest.

    `part` is what tells it from the others of its checkpoint: the ending of a bundle's file, the path in a folder.
    """

    path: str
    part: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class Identity:
    """The files of a checkpoint. Two are the same where `digest` is equal, whatever their names and times."""

    files: tuple[FileIdentity, ...]

    @property
    def digest(self) -> str:
        """32 hexadecimal digits over the parts' names, sizes and digests."""
        lines = sorted(f"{file.part}\0{file.size}\0{file.digest}" for file in self.files)
        return _hash("\n".join(lines).encode("utf-8", "surrogateescape"))

    def record(self) -> dict[str, Any]:
        """The identity as JSON, see IDENTITY_SPEC."""
        files = [
            {"path": file.path, "size": file.size, "mtime_ns": file.mtime_ns, "digest": file.digest}
            for file in self.files
        ]
        return {"digest": self.digest, "files": files}


def identity_of(run: Path, path: str) -> Identity:
    """The identity of the checkpoint at a path relative to the run: a file, a folder, or a bundle's prefix. Of one that
    lies elsewhere (a kept copy beside decisions) the path is absolute, and its files are told relative to its folder.

    OSError where a file is gone or changed its size while it was read (it is being written); FileNotFoundError where
    there is none.
    """
    if os.path.isabs(path):
        run, path = Path(path).parent, os.path.basename(path)
    found = []
    for name, part in checkpoint_files(run, path):
        found.append(_file_identity(run / name, name, part))
        if len(found) > _MOST_FILES:
            raise OSError(f"{run / path} has more than {_MOST_FILES:,} files")
    if not found:
        raise FileNotFoundError(2, "no checkpoint", str(run / path))
    return Identity(tuple(found))


def checkpoint_files(run: Path, path: str) -> Iterator[tuple[str, str]]:
    """The files of a checkpoint in order: the path relative to the run, and the part of the checkpoint that it is."""
    place = run / path
    names = names_in_folder(place)
    is_nameless = ".index" in names and not Path(f"{place}.index").is_file()
    if is_nameless and not names.intersection(_MARKS):
        own = (name for name in sorted(names) if name == ".index" or _SHARD.fullmatch(name))
        yield from ((posixpath.normpath(f"{path}/{name}"), name) for name in own)
    elif place.is_dir():
        for folder, folders, files in os.walk(place):
            folders.sort()
            for name in sorted(files):
                inner = (Path(folder) / name).relative_to(place).as_posix()
                yield f"{path}/{inner}", inner
    elif place.is_file():
        yield path, ""
    else:
        parent, stem = place.parent, place.name
        for name in sorted(os.listdir(parent)) if parent.is_dir() else ():
            ending = name[len(stem) :] if name.startswith(stem) else ""
            if ending == ".index" or _SHARD.fullmatch(ending):
                yield (parent / name).relative_to(run).as_posix(), ending


def is_unchanged(run: Path, record: Mapping[str, Any]) -> bool:
    """Whether the files of an identity's record lie in their places with the same sizes and times."""
    try:
        found = [os.stat(run / file["path"]) for file in record["files"]]
    except OSError:
        return False
    told = [(file["size"], file["mtime_ns"]) for file in record["files"]]
    return told == [(item.st_size, item.st_mtime_ns) for item in found]


def identity_problems(record: object) -> list[str]:
    """Every way in which a JSON value is no record of an identity."""
    return list(problems_of(record, IDENTITY_SPEC, "identity"))


def _file_identity(path: Path, name: str, part: str) -> FileIdentity:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb", buffering=0) as file:
        before = os.fstat(handle)
        digest = _digest(file, before.st_size, is_shard=bool(_SHARD.search(name)))
        after = os.fstat(handle)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise OSError(f"{path} was written while it was read")
    return FileIdentity(name, part, before.st_size, before.st_mtime_ns, digest)


def _digest(file: Any, size: int, *, is_shard: bool) -> str:  # noqa: ANN401 - a raw file
    if is_shard:
        return _hash(b"")  # the index tells its tensors' checksums
    total = hashlib.sha256()
    for start, length in _places(file, size):
        file.seek(start)
        while length > 0 and (block := file.read(min(length, 1 << 20))):
            total.update(block)
            length -= len(block)
    return total.hexdigest()[:32]


def _places(file: Any, size: int) -> Iterator[tuple[int, int]]:  # noqa: ANN401
    """What is read of a file: start and length in bytes."""
    if size <= WHOLE:
        yield 0, size
        return
    file.seek(size - _BLOCK)
    if _ZIP_END in file.read(_BLOCK)[-22:]:  # without a comment, as Keras writes it
        yield size - _BLOCK, _BLOCK
        return
    step = (size - _BLOCK) / (_PLACES - 1)
    for number in range(_PLACES):
        yield round(number * step), _BLOCK


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
