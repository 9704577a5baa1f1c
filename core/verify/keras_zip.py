"""A `.keras` file: the CRC-32 that the zip keeps for each member, and every value of its weights."""

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from core.base.errors import CorruptError, TooLargeError
from core.formats.keras_zip import MAX_UNPACKED, WEIGHTS, needed_members
from core.formats.vocabularies import ASSETS, NOT_TOLD
from core.formats.zip_members import Archive
from core.verify.hdf5 import verify_file
from core.verify.tally import WINDOW, Job, Tally
from core.workers.h5.window import Window

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError)


def verify_keras(job: Job, tally: Tally) -> None:
    """Read every member, then the weights' values where the member is whole."""
    path = f"{job.folder}/{job.name}"
    with (
        open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        members = archive.infolist()
        tally.expect(sum(member.file_size for member in members))
        needed = needed_members(archive.namelist())
        whole = [one.filename for one in members if _holds(archive, one, tally, is_needed=one.filename in needed)]
    if any(name.startswith(ASSETS) for name in whole):
        tally.notes.append(NOT_TOLD)
    if WEIGHTS in whole:
        with opened_weights(path) as weights:
            verify_file(weights, job, tally)


@contextmanager
def opened_weights(path: str) -> Iterator[IO[bytes] | Window]:
    """The HDF5 file inside a `.keras`: where it lies, or a short-lived copy of one that somebody deflated.

    FormatError for a zip that has none, or one that unpacks to more than is read.
    """
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        weights = Archive(file).member(WEIGHTS)
        if weights is None:
            raise CorruptError(f"it has no {WEIGHTS}", section="members")
        if not weights.is_deflated:
            with Window(path, weights.offset, weights.size) as window:
                yield window
            return
        if weights.size > MAX_UNPACKED:
            raise TooLargeError("deflated weights of that size are not read", section=WEIGHTS)
        with tempfile.TemporaryFile(prefix="waypoint-") as copy:
            with zipfile.ZipFile(file) as archive, archive.open(WEIGHTS) as stream:
                shutil.copyfileobj(stream, copy, WINDOW)
            copy.flush()
            yield copy


def _holds(archive: zipfile.ZipFile, member: zipfile.ZipInfo, tally: Tally, *, is_needed: bool) -> bool:
    """Whether a member's checksum holds. One that cannot be unpacked here is said to be unverifiable."""
    try:
        with archive.open(member) as stream:
            while part := stream.read(WINDOW):
                tally.advance(len(part))
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in another way
        tally.skip(member.filename, f"It cannot be unpacked: {error}.")
    except _BROKEN as error:
        if is_needed:
            tally.mismatch(member.filename, f"It cannot be unpacked whole: {error}.")
        else:
            tally.notes.append(f"{member.filename} cannot be unpacked whole; no restore reads it.")
    else:
        return True
    return False
