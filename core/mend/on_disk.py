"""A state file as it stands on disk: which checkpoints its paths mean, and which of these are there."""

import os
import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from google.protobuf import text_format

from core.base.records import StateFile
from core.formats import state_file
from core.formats.state_file import base_of, is_misspelled
from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.runfolder.places import read_small
from core.runs.state_files import lies_here_too, meant, target
from core.stores.local import LocalStore
from waypoint_resume.names import join

LIMIT = 16 << 20  # bytes that are kept of a file that is to be mended


class Entry(NamedTuple):
    """A path in a state file: as it is written, the checkpoint that it means (relative to the root; None where none
    is there), and its time, seconds since the epoch, where the file pairs one with it.
    """

    written: str
    prefix: str | None
    time: float | None = None
    has_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateContent:
    """A state file's content. `preserved` is its last_preserved_timestamp, 0 where it has none."""

    record: StateFile
    latest: Entry | None = None
    listed: tuple[Entry, ...] = ()
    preserved: float = 0.0

    @property
    def names_nothing(self) -> bool:
        """Whether it is absent, or tells nothing of any checkpoint."""
        return self.latest is None and not self.listed

    def rules(self) -> Iterator[str]:
        """The rules of `core.health` that a rewrite answers."""
        if self.record.unreadable is not None or self.record.error is not None:
            yield "unreadable-state"
        if self.latest is None:
            return
        if any(entry.has_moved for entry in (self.latest, *self.listed)):
            yield "moved-run"
        if self.latest.prefix is None or (is_misspelled(self.latest.written) and not self.latest.has_moved):
            yield "dangling-latest"
        if any(entry.prefix is None and entry.written != self.latest.written for entry in self.listed):
            yield "dangling-history"


def read(path: Path) -> bytes | None:
    """A state file's bytes, None where there is none. PlaceError for a link, a folder, or a file over 16 MiB."""
    try:
        return read_small(path, LIMIT)
    except FileNotFoundError:
        return None


def state_files_in(root_path: str, folder: str) -> list[str]:
    """The state files of a folder, relative to the root: `checkpoint`, and those of other names that are there."""
    store = LocalStore(root_path)
    files = [file for file in store.members(folder).files if "/" not in file.name and file.name != state_file.NAME]
    return [join(folder, state_file.NAME), *(state.path for state in state_file.others(store, folder, files))]


def read_content(path: str, data: bytes | None, root_path: str, existing: Collection[str]) -> StateContent:
    """What a state file says; `existing` holds at least those prefixes of `parse`'s record that are there."""
    record = parse(path, data)
    state = _message(data)
    folder = posixpath.dirname(path)

    def entry(written: str, time: float | None = None) -> Entry:
        if lies_here_too(record, written, root_path, existing):
            return Entry(written, join(folder, base_of(written)), time, has_moved=True)
        if (here := meant(record, written, existing)) is not None:
            return Entry(written, here, time)
        inside = target(record, written, root_path)
        return Entry(written, inside if inside in existing else None, time)

    # TensorFlow pairs paths and times from the front, as far as both reach.
    times = [*state.all_model_checkpoint_timestamps, *[None] * len(state.all_model_checkpoint_paths)]
    return StateContent(
        record=record,
        latest=entry(state.model_checkpoint_path) if state.model_checkpoint_path else None,
        listed=tuple(
            entry(written, time) for written, time in zip(state.all_model_checkpoint_paths, times, strict=False)
        ),
        preserved=state.last_preserved_timestamp,
    )


def parse(path: str, data: bytes | None) -> StateFile:
    """A state file as a record; without a latest and without an error where there is none."""
    if data is None:
        return StateFile(path=path)
    if len(data) > state_file.MAX_SIZE:
        return StateFile(path=path, unreadable=f"{state_file.NOT_ONE}, with {len(data):,} bytes")
    return state_file.parse(path, data)


def on_disk(root_path: str, prefixes: Iterable[str]) -> frozenset[str]:
    """Those prefixes that are checkpoints now: an index, or TF1's single file with its `.meta`, inside the root."""
    root = os.path.realpath(root_path).rstrip(os.sep)
    return frozenset(
        prefix
        for prefix in prefixes
        if _is_file(root, f"{prefix}.index") or (_is_file(root, prefix) and _is_file(root, f"{prefix}.meta"))
    )


def _is_file(root: str, name: str) -> bool:
    path = os.path.join(root, name)
    try:
        return os.path.isfile(path) and os.path.realpath(path).startswith(f"{root}{os.sep}")
    except ValueError:  # a state file may name what no disk can hold
        return False


def _message(data: bytes | None) -> CheckpointState:
    """The file's fields; none where TensorFlow could not read it."""
    state = CheckpointState()
    if data is None or len(data) > state_file.MAX_SIZE:
        return state
    try:
        text_format.Merge(data.decode(), state)
    except (UnicodeDecodeError, text_format.ParseError):
        return CheckpointState()
    return state
