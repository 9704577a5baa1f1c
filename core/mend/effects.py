"""What a mended state file changes for a job, as sentences.

Source: tensorflow/python/checkpoint/checkpoint_management.py (CheckpointManager); tests compare with what it deletes.
"""

import math
import posixpath
from collections.abc import Iterator
from datetime import datetime

from google.protobuf import text_format

from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.mend.propose import MendProposal
from core.runs.state_files import Answer
from waypoint_resume.names import join, to_text

_NEW = ""  # the name of a save that is not known


def deleted_by_next_save(proposal: MendProposal, max_to_keep: int, now: datetime) -> tuple[str, ...]:
    """The checkpoints that a CheckpointManager on this folder deletes at its next save, the oldest first.

    For a job that restored the latest one. With keep_checkpoint_every_n_hours it may keep some of them.
    """
    state = CheckpointState()
    text_format.Merge(proposal.new.decode(), state)
    folder = posixpath.dirname(proposal.state)
    clock = now.timestamp()
    preserved = min(state.last_preserved_timestamp, clock)
    paths = [posixpath.normpath(join(folder, path)) for path in state.all_model_checkpoint_paths]
    times = list(state.all_model_checkpoint_timestamps) or [preserved] * len(paths)
    pairs = zip(paths, times, strict=False)
    managed = [path for path, time in pairs if not math.isnan(time) and min(time, clock) > preserved]
    saved = proposal.next_save or _NEW
    managed = [path for path in managed if path != saved]
    return tuple(managed[: max(0, len(managed) + 1 - max_to_keep)])


def effects(proposal: MendProposal, *, max_to_keep: int, now: datetime) -> tuple[str, ...]:
    """What changes, one sentence each; the last one says what the next save deletes."""
    return tuple(_sentences(proposal, max_to_keep, now))


def _sentences(proposal: MendProposal, max_to_keep: int, now: datetime) -> Iterator[str]:
    latest = to_text(proposal.latest)
    yield f"tf.train.latest_checkpoint {_told(proposal.before)} now, and {_told(proposal.after)} afterwards."
    if proposal.after.latest != proposal.latest:
        yield (
            "TensorFlow takes the path for a glob pattern, so brackets, stars and question marks in a folder's name "
            "keep it from finding anything: rename the folder."
        )
    if proposal.dropped:
        yield f"These leave the list, for they are not here: {', '.join(map(to_text, proposal.dropped))}."
    if proposal.latest not in proposal.listed:
        yield (
            f"{latest} was not on the old list, so it is named but not listed: TensorFlow never deletes it, and after "
            "the next save nothing refers to it."
        )
    elif proposal.starts_anew:
        yield (
            f"Only {latest} is listed, without a time: no CheckpointManager deletes it, nor any other checkpoint that "
            "lies here now."
        )
    if proposal.overwrites is not None:
        yield (
            f"A job that goes on from {latest} names its next save {to_text(proposal.overwrites)} and overwrites the "
            "one that is there: move that one away first if it is needed."
        )
    gone = deleted_by_next_save(proposal, max_to_keep, now)
    names = ", ".join(map(to_text, gone)) or "nothing"
    yield f"The next save of a CheckpointManager with max_to_keep={max_to_keep} deletes {names}."


def _told(answer: Answer) -> str:
    if answer.error is not None:
        return f"gives no answer ({to_text(answer.error)})"
    return "finds nothing" if answer.latest is None else f"finds {to_text(answer.latest)}"
