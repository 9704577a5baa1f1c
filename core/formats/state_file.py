"""The state file `checkpoint`: a text proto CheckpointState, and what `tf.train.latest_checkpoint` makes of it.

Source: tensorflow/python/checkpoint/checkpoint_management.py (get_checkpoint_state, latest_checkpoint).
"""

import posixpath
import re
from collections.abc import Sequence
from contextlib import suppress

from google.protobuf import text_format

from core.base.files import FileStat
from core.base.records import StateFile
from core.formats import lfs
from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.stores.local import NOT_YOURS, told_permission
from core.stores.store import Store
from waypoint_resume.state_files import may_be_state_file

NAME = "checkpoint"
MAX_SIZE = 8 << 20  # bytes: about 80,000 checkpoints, which take a second to parse
NOT_ONE = "It is no state file of TensorFlow"  # msgpack, a pickle, an archive, JSON, a text: other tools use the name
_HEAD = 4_096  # bytes of a larger one that are looked at
OTHER_MOST = 64 * 1024  # bytes of a state file of another name (`latest_filename=` of TensorFlow 1)
_OTHERS = 16  # files of a folder that are looked into for one
_HINTS = ("checkpoint", "ckpt", "latest", "best")
_NAMES_LATEST = re.compile(rb"(?m)^\s*model_checkpoint_path\s*:")
_FIELDS = r"model_checkpoint_path|all_model_checkpoint_(?:paths|timestamps)|last_preserved_timestamp"
_LINE = re.compile(rf"\s*(?:#|(?:{_FIELDS})\s*:)")
_PART = re.compile(r"\.(?:index|data-\d{5}-of-\d{5})$")
_FAR_S = 4_600_000_000.0  # the year 2115


def read(store: Store, folder: str, file: FileStat) -> StateFile:
    """A folder's state file. Never raises for its content: `error` and `unreadable` say what TensorFlow would do."""
    path = posixpath.join(folder, file.name)
    if file.size > MAX_SIZE:
        return StateFile(path=path, unreadable=_too_large(store, path, file.size), mtime_ns=file.mtime_ns)
    try:
        data = store.read(path, file.size + 1)
    except PermissionError as error:
        return StateFile(path=path, unreadable=told_permission(error), mtime_ns=file.mtime_ns)
    except OSError as error:
        return StateFile(path=path, unreadable=error.strerror or str(error), mtime_ns=file.mtime_ns)
    return parse(path, data, file.mtime_ns)


def _too_large(store: Store, path: str, size: int) -> str:
    """Why a file of that size is not read: another tool's, or a state file that lists more than anybody keeps."""
    with suppress(OSError):
        if _NAMES_LATEST.match(store.read(path, _HEAD)):
            return f"It has {size:,} bytes, more than the {MAX_SIZE:,} that are read"
    return f"{NOT_ONE}, with {size:,} bytes"


def parse(path: str, data: bytes, mtime_ns: int = 0) -> StateFile:
    """A state file's content as a record."""
    if lfs.is_pointer(data):
        return StateFile(path=path, unreadable=lfs.DETAIL, mtime_ns=mtime_ns)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return StateFile(path=path, error=f"UnicodeDecodeError: {error}", mtime_ns=mtime_ns)
    state = CheckpointState()
    try:
        text_format.Merge(text, state)
    except text_format.ParseError:
        return StateFile(path=path, unreadable=_why_not(text), mtime_ns=mtime_ns)
    if not state.model_checkpoint_path:
        return StateFile(
            path=path,
            history=tuple(state.all_model_checkpoint_paths),
            error="ValueError: Invalid checkpoint state loaded from its folder: it names no latest checkpoint",
            mtime_ns=mtime_ns,
        )
    return StateFile(
        path=path,
        latest=state.model_checkpoint_path,
        history=tuple(state.all_model_checkpoint_paths),
        times=tuple(state.all_model_checkpoint_timestamps),
        mtime_ns=mtime_ns,
    )


def times_by_name(state: StateFile) -> dict[str, float]:
    """Save times (seconds since the epoch) by base name of the prefix, where the file pairs them."""
    if len(state.times) != len(state.history):
        return {}
    return {base_of(path): time for path, time in zip(state.history, state.times, strict=True) if 0 < time < _FAR_S}


def _why_not(text: str) -> str:
    """Why TensorFlow cannot read a text as a state file."""
    if "model_checkpoint_path" not in text:
        return NOT_ONE
    if text.startswith("\ufeff"):
        return "It begins with a byte order mark, for which TensorFlow ignores all of it"
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip() and _LINE.match(line) is None:
            return f"Line {number} is cut, or no line of a state file"
    return "It is cut, or not written as TensorFlow writes it"


def is_denied(state: StateFile) -> bool:
    """Whether the right to read it is missing."""
    return (state.unreadable or "").startswith(NOT_YOURS)


def is_foreign(state: StateFile) -> bool:
    """Whether a file of that name is another tool's, and no state file that something happened to."""
    return (state.unreadable or "").startswith(NOT_ONE) or (state.error or "").startswith("UnicodeDecodeError")


def base_of(written: str) -> str:
    r"""The checkpoint's name at the end of a path in a state file, also of one that Windows wrote (`C:\runs\ckpt-2`) or
    that names one of the checkpoint's files.
    """
    return _PART.sub("", written.replace("\\", "/").rstrip("/").rpartition("/")[2])


def is_misspelled(written: str) -> bool:
    """Whether a path names a file of a checkpoint, or a folder, where a checkpoint is meant."""
    return written.endswith("/") or _PART.search(written) is not None


def others(store: Store, folder: str, files: Sequence[FileStat]) -> list[StateFile]:
    """State files of other names (`best_dev_checkpoint`) among files that are nothing else; only content tells."""
    small = [
        file for file in files if file.size <= OTHER_MOST and "/" not in file.name and may_be_state_file(file.name)
    ]
    small.sort(key=lambda file: not any(hint in file.name.lower() for hint in _HINTS))
    found = []
    for file in small[:_OTHERS]:
        try:
            data = store.read(posixpath.join(folder, file.name), file.size + 1)
        except OSError:
            continue
        if is_one(data):
            found.append(parse(posixpath.join(folder, file.name), data, file.mtime_ns))
    return found


def is_one(data: bytes) -> bool:
    """Whether a file of any name is a state file: it can be read as one, and names a latest checkpoint."""
    return _NAMES_LATEST.search(data) is not None and parse("", data).latest is not None
