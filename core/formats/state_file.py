"""The state file `checkpoint`: a text proto CheckpointState, and what `tf.train.latest_checkpoint` makes of it.

Source: tensorflow/python/checkpoint/checkpoint_management.py (get_checkpoint_state, latest_checkpoint).
"""

import posixpath

from google.protobuf import text_format

from core.formats import lfs
from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.fs.storage import Storage
from core.model import FileStat, StateFile

NAME = "checkpoint"
MAX_SIZE = 1024 * 1024  # about 10,000 checkpoints; a larger one takes seconds to parse
_SHOWN = 200
_FAR_S = 4_600_000_000.0  # the year 2115


def read(storage: Storage, folder: str, file: FileStat) -> StateFile:
    """A folder's state file. Never raises for its content: `error` and `unreadable` say what TensorFlow would do."""
    path = posixpath.join(folder, file.name)
    if file.size > MAX_SIZE:
        return StateFile(
            path=path, unreadable=f"{file.size:,} bytes: no state file is that large", mtime_ns=file.mtime_ns
        )
    try:
        data = storage.read(path, file.size + 1)
    except OSError as error:
        return StateFile(path=path, unreadable=error.strerror or str(error), mtime_ns=file.mtime_ns)
    return parse(path, data, file.mtime_ns)


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
    except text_format.ParseError as error:
        return StateFile(path=path, unreadable=f"not a CheckpointState: {error}"[:_SHOWN], mtime_ns=mtime_ns)
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
    return {
        posixpath.basename(path): time
        for path, time in zip(state.history, state.times, strict=True)
        if 0 < time < _FAR_S
    }
