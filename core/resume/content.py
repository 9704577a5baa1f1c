"""The files of a checkpoint as a manifest lists them: looked at again, and the small ones hashed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from core.base.files import FileStat, change_of
from core.base.records import Checkpoint
from core.formats.file_groups import is_shard
from core.resume.errors import ChangedError
from core.resume.manifest import ManifestFile
from core.runfolder.places import blocks, inside, relative_to_run
from core.stores.local import plain_file
from waypoint_resume.names import to_text

SMALL = 4 * 1024 * 1024  # bytes: up to here a file is hashed
_LISTED = 5


def require_unchanged(folder: Path, checkpoint: Checkpoint) -> None:
    """Look at every file again. ChangedError names those whose size or time is not what was indexed."""
    files = ((path, change_of(file, plain_file(inside(folder, path)))) for path, file in _files(checkpoint))
    changed = [f"{to_text(path)} {change}" for path, change in files if change is not None]
    if changed:
        more = f" and {len(changed) - _LISTED:,} more" if len(changed) > _LISTED else ""
        raise ChangedError(
            f"{to_text(checkpoint.path)} is not what was indexed: {', '.join(changed[:_LISTED])}{more}. "
            "Nothing was written; refresh, and look at it again."
        )


def listed_files(folder: Path, checkpoint: Checkpoint) -> tuple[ManifestFile, ...]:
    """The files with their sizes and, for small ones, their SHA-256.

    Shards have none: the index, which is hashed, holds the checksum of each tensor in them.
    """
    return tuple(
        ManifestFile(path=to_text(path), bytes=file.size, sha256=_digest(folder, path, file))
        for path, file in _files(checkpoint)
    )


def _files(checkpoint: Checkpoint) -> Iterator[tuple[str, FileStat]]:
    """Each file with its path relative to the run."""
    for file in checkpoint.files:
        path = f"{checkpoint.folder}/{file.name}" if checkpoint.folder not in ("", ".") else file.name
        yield relative_to_run(path, checkpoint.run), file


def _digest(folder: Path, path: str, file: FileStat) -> str | None:
    if file.size > SMALL or is_shard(path):
        return None
    digest = hashlib.sha256()
    for block in blocks(inside(folder, path), SMALL):
        digest.update(block)
    return digest.hexdigest()
