"""What a manifest names outlives the job that obeys it: a copy in `.waypoint/kept/<manifest id>`, made before training.

A job saves over its own files: ModelCheckpoint(save_best_only) writes best.keras again, a manager rotates. The copy is
whole or not there: it grows under a temporary name. Shards of bundles are hard links, for TensorFlow never writes those
in place; all else is a reflink where the disk has them, else a copy. It goes when the manifest is finished and the
original is still what it was.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import TEMP_END, make_folder, sync_folder
from waypoint_resume.checkpoints import is_killed_save
from waypoint_resume.claim import Decision
from waypoint_resume.clock import moment_text
from waypoint_resume.files import read_record, write_record
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.identity import IDENTITY_SPEC, identity_of
from waypoint_resume.log import LOG
from waypoint_resume.manifest import FORMATS
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.rules import moment_value, one_of, path_value, place_value, text_value, version_value
from waypoint_resume.spec import problems_of

KEPT = "kept"
RECORD = "kept.json"
FILES = "files"
FORMER = "former-"  # how the ids of what a save writes over begin
_SHARD = re.compile(r".*\.data-\d{5,}-of-\d{5,}", re.DOTALL)
_REFLINK = 0x40049409  # FICLONE of Linux
_SPARE = 64 << 20  # bytes that stay free for the job's own saves
KEPT_SPEC: dict[str, Any] = {
    "version": version_value,
    "manifest": text_value,
    "checkpoint": place_value,
    "format": one_of(*FORMATS),
    "job": text_value,
    "kept_at": moment_value,
    "identity": IDENTITY_SPEC,
    "files": [path_value],
}


@dataclass(frozen=True)
class Kept:
    """A kept checkpoint: its folder, the id of its manifest (or of a start with its weights alone), and where it lay in
    the run (`path`, relative, as on the disk) in which format.
    """

    folder: Path
    manifest: str
    path: str
    format: str
    job: str
    kept_at: str
    digest: str
    files: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return sum((self.folder / FILES / name).stat().st_size for name in self.files)

    def path_from(self, run: Path) -> str:
        """The copy's path relative to a run; absolute where it does not lie in it."""
        return os.path.relpath(self.place, run) if self.place.is_relative_to(run) else str(self.place)

    @property
    def place(self) -> Path:
        """The checkpoint's path among what is kept."""
        return self.folder / FILES / self.path

    def is_whole(self) -> bool:
        """Whether what is kept still is what was handed over, by its content."""
        try:
            return identity_of(self.folder / FILES, self.path).digest == self.digest
        except OSError:
            return False

    def is_original_there(self, run: Path) -> bool:
        """Whether the original still lies in its place, byte for byte."""
        try:
            return identity_of(run, self.path).digest == self.digest
        except OSError:
            return False


def kept_in(home: Path) -> Iterator[Kept]:
    """What is kept in a home, oldest manifest first; what cannot be understood is left out."""
    for path in sorted((home / HIDDEN / KEPT).glob(f"*/{RECORD}")):
        found = read_record(path)
        if found and not list(problems_of(found, KEPT_SPEC)):
            yield Kept(
                folder=path.parent,
                manifest=found["manifest"],
                path=from_text(found["checkpoint"]),
                format=found["format"],
                job=found["job"],
                kept_at=found["kept_at"],
                digest=found["identity"]["digest"],
                files=tuple(map(from_text, found["files"])),
            )


def keep_pick(decision: Decision, path: str) -> str | None:
    """Keep the files of the pick, before the job saves anything. Says why not where it cannot: no job dies of it."""
    manifest = decision.manifest
    if manifest is None:
        return None
    picked = manifest["checkpoint"]
    names = [from_text(file["path"]) for file in picked["files"]]
    return keep_files(decision, path, picked["format"], names, str(manifest["id"]))


def keep_files(
    decision: Decision, path: str, kind: str, names: list[str], own: str, *, moves: bool = False
) -> str | None:
    """Keep the files of a checkpoint under an id: its manifest's, or that of a start without one. As `keep_pick`.

    `moves`: they are to be removed from their place, so that a link to each is enough, and all goes without a word.
    """
    temp: Path | None = None
    try:
        folder = hidden_folder(decision.home, KEPT)
        target = folder / own
        if (target / RECORD).exists():
            return None
        sizes = {name: (decision.run / name).stat().st_size for name in names}
        needed = sum(size for name, size in sizes.items() if not _SHARD.fullmatch(name))
        free = shutil.disk_usage(folder).free
        if free < needed + _SPARE:
            return (
                f"{path} is not kept aside: that takes {needed:,} bytes, and {free:,} are free. If this job saves over "
                "it, it is gone."
            )
        temp = folder / f".{uuid.uuid4().hex}{TEMP_END}"
        make_folder(temp / FILES)
        for name in names:
            make_folder((temp / FILES / name).parent)
            copy_file(decision.run / name, temp / FILES / name, may_link=moves or bool(_SHARD.fullmatch(name)))
        record = {
            "version": 1,
            "manifest": own,
            "checkpoint": to_text(path),
            "format": kind,
            "job": decision.job,
            "kept_at": moment_text(time.time()),
            "identity": identity_of(decision.run, path).record(),
            "files": [to_text(name) for name in names],
        }
        write_record(temp / RECORD, record)
        os.rename(temp, target)
        sync_folder(folder)
    except OSError as error:
        if temp is not None:
            shutil.rmtree(temp, ignore_errors=True)  # what a full disk has room for again
        return f"{path} is not kept aside ({error}): if this job saves over it, it is gone."
    if not moves:
        LOG.info("%s is kept in %s/%s/%s until the training is finished.", path, HIDDEN, KEPT, own)
    return None


def copy_file(source: Path, target: Path, *, may_link: bool) -> None:
    """A file with its time, durable: a hard link where allowed, a reflink where the disk can, else a copy. OSError."""
    real = os.path.realpath(source)
    if may_link:
        with contextlib.suppress(OSError):  # another disk, or one without links
            os.link(real, target)
            return
    found = os.stat(real)
    with open(real, "rb") as origin, target.open("xb") as made:
        if not _reflinked(origin.fileno(), made.fileno()):
            shutil.copyfileobj(origin, made, 1 << 20)
        made.flush()
        os.fchmod(made.fileno(), found.st_mode & 0o7777)
        os.fsync(made.fileno())
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _reflinked(origin: int, made: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(made, _REFLINK, origin)
    except (OSError, ImportError):
        return False
    return True


def is_former(item: Kept) -> bool:
    """Whether it is what a save wrote over, not what was handed over."""
    return item.manifest.startswith(FORMER)


def release_kept(run: Path, home: Path, *, but: Collection[str] = ()) -> list[str]:
    """Let go what is kept for manifests that are over (all but those with these ids), if the original is still there as
    it was. What is not stays, and is said.
    """
    told = []
    for item in kept_in(home):
        if item.manifest in but:
            continue
        # A part of a killed save is gone when the same name was saved again, and so is what a save wrote over.
        is_replaced = is_killed_save(item.path) or (is_former(item) and (run / item.path).exists())
        if is_replaced or item.is_original_there(run):
            drop_kept(item)
        else:
            told.append(
                f"{item.path} was saved over or removed since it was handed over. What was handed over lies in "
                f"{HIDDEN}/{KEPT}/{item.manifest}, and "
                f"{on_the_dashboards_machine(f'kept {shlex.quote(run.name)} {item.manifest}')} brings it back."
            )
    return told


def drop_kept(item: Kept) -> None:
    """Delete what is kept; a kill leaves all of it, or nothing but a temporary folder that the next start removes."""
    with contextlib.suppress(OSError):
        temp = item.folder.parent / f".{uuid.uuid4().hex}{TEMP_END}"
        os.rename(item.folder, temp)
        shutil.rmtree(temp, ignore_errors=True)
