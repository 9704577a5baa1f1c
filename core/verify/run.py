"""Verifying one checkpoint: in a worker process, from the thread that asks, with progress and cancel."""

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from core.base.files import FileStat
from core.base.records import Checkpoint
from core.formats.registry import spec_of
from core.stores.local import LocalStore
from core.verify.results import BadRule, Outcome, Verification, identity, problems_of
from core.verify.trial import try_restore
from core.workers.process import Ended, Ending, converse
from waypoint_resume.names import join, to_text

WORKER = "core.verify.worker"
SILENCE = 300.0  # seconds without a word, after which a worker hangs: a window of a slow network disk takes less
NOTHING = "There is no value in it that could be read, so that nothing was verified."
CANCELLED = "It was cancelled."
_SOON = 0.5  # seconds before which no estimate is made


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a verification is: bytes, seconds since it began to read, and the seconds left (None: not yet known)."""

    bytes_done: int = 0
    bytes_total: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None


def verify(
    root_path: str,
    checkpoint: Checkpoint,
    *,
    watch: Callable[[Progress], None] = lambda _progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    restore: bool = False,
) -> Verification:
    """Read every byte of a checkpoint once. Blocks; whatever is wrong with its files is the result.

    `watch` and `cancelled` are called from this thread, about ten times a second. With `restore` the library that
    would restore it reads it too.
    """
    store = LocalStore(root_path)
    before, gone = stats_now(store, checkpoint)
    spec = spec_of(checkpoint.format)
    if not spec.is_verified:
        return _ended(Outcome.NOT_TOLD, f"{spec.not_verified}.", before)
    if gone:
        return _ended(Outcome.CHANGED, f"{gone} is gone since the last look at the disk.", before)
    follower = Follower(watch)
    ended = converse(
        WORKER, request_for(root_path, checkpoint), hear=follower.hear, cancelled=cancelled, silence=SILENCE
    )
    found = _judged(ended, before, follower, is_tried=restore)
    if restore and found.outcome in (Outcome.VERIFIED, Outcome.DAMAGED, Outcome.NOT_TOLD):
        answer = try_restore(root_path, checkpoint, cancelled=cancelled)
        is_refused = found.outcome is not Outcome.DAMAGED and not answer.ok
        outcome = Outcome.FAILED if is_refused else found.outcome  # what does not restore was not verified
        found = replace(found, outcome=outcome, restore=answer, finished_at=datetime.now(UTC))
        if cancelled():
            found = _ended(Outcome.CANCELLED, CANCELLED, before, found.seconds)
    if found.outcome is Outcome.CANCELLED:
        return found
    after, gone = stats_now(store, checkpoint)
    if gone or identity(after) != identity(before):
        return _ended(Outcome.CHANGED, _changed(before, after, gone), before, found.seconds)
    return found


class Follower:
    """Turns a worker's messages into progress."""

    def __init__(self, watch: Callable[[Progress], None]) -> None:
        self._watch = watch
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the worker was ready."""
        return time.monotonic() - self._start

    def hear(self, message: Mapping[str, Any]) -> None:
        """One message."""
        if "done" not in message:
            self._start = time.monotonic()
            return
        done, total, seconds = int(message["done"]), int(message["total"]), self.seconds
        left = (total - done) * seconds / done if done and seconds >= _SOON else None
        self._watch(Progress(bytes_done=done, bytes_total=total, seconds=seconds, seconds_left=left))


def stats_now(store: LocalStore, checkpoint: Checkpoint) -> tuple[tuple[FileStat, ...], str]:
    """The files' facts now, and the first that is not there."""
    found: list[FileStat] = []
    for file in checkpoint.files:
        try:
            found.append(store.stat(join(checkpoint.folder, file.name))._replace(name=file.name))
        except OSError:
            return tuple(found), to_text(file.name)
    return tuple(found), ""


def request_for(root_path: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the worker is asked."""
    name = checkpoint.path[len(checkpoint.folder) :].lstrip("/")
    return {
        "root": root_path,
        "folder": checkpoint.folder,
        "name": name,
        "path": checkpoint.path,
        "format": checkpoint.format.value,
        "files": [list(file) for file in checkpoint.files],
    }


def _judged(ended: Ended, files: tuple[FileStat, ...], follower: Follower, *, is_tried: bool) -> Verification:
    """What a conversation with the worker comes to."""
    seconds = follower.seconds
    if ended.how is Ending.CANCELLED:
        return _ended(Outcome.CANCELLED, CANCELLED, files, seconds)
    if ended.how is Ending.SILENT:
        return _ended(Outcome.FAILED, f"The reading process hung: no word for {SILENCE:g} s.", files, seconds)
    if ended.how is Ending.DIED:
        return _ended(Outcome.FAILED, death(ended.code), files, seconds)
    try:
        if "error" in ended.answer:
            kind, detail = ended.answer["error"]
            return _ended(Outcome(kind), str(detail), files, seconds)
        return result_of(ended.answer["result"], files, seconds, is_tried=is_tried)
    except (KeyError, TypeError, ValueError) as error:
        why = f"The reading process gave an answer that makes no sense ({type(error).__name__})."
        return _ended(Outcome.FAILED, why, files, seconds)


def result_of(
    found: Mapping[str, Any], files: tuple[FileStat, ...], seconds: float, *, is_tried: bool = False
) -> Verification:
    """What the worker's result comes to; where a trial restore follows, what that will tell is left to it."""
    count, bad, skipped = int(found["tensors"]), int(found["problem_count"]), int(found["unverifiable_count"])
    sentences = [str(text) for text in found["damage"]]
    is_damaged = bool(found["damage"]) or any(rule != BadRule.INFINITE for rule, *_ in found["problems"])
    if bad:
        sentences.append(f"{_tensors(bad)} did not pass, of {_tensors(count)} that were read.")
    elif not sentences:
        sentences.append(f"{_tensors(count)} passed." if count else NOTHING)
    if skipped:
        sentences.append(f"{_tensors(skipped)} could not be verified.")
    whole = Outcome.VERIFIED if count else Outcome.NOT_TOLD if skipped else Outcome.FAILED
    notes = [*found["notes"], *([] if is_tried or is_damaged or not count else found["left_to_trial"])]
    return replace(
        _ended(Outcome.DAMAGED if is_damaged else whole, "", files, seconds),
        detail=" ".join([*sentences, *(str(text) for text in notes)]),
        tensors=count,
        bytes=int(found["bytes"]),
        problems=problems_of(found["problems"]),
        problem_count=bad,
        unverifiable=tuple((str(name), str(why)) for name, why in found["unverifiable"]),
        unverifiable_count=skipped,
    )


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"


def death(code: int) -> str:
    """What is said of a process that ended by itself, by its exit code."""
    if code >= 0:
        return f"The reading process ended with code {code} before it had answered."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " Was the machine out of memory?" if name == "SIGKILL" else " The files may be damaged."
    return f"The reading process was ended by {name}.{hint}"


def _changed(before: tuple[FileStat, ...], after: tuple[FileStat, ...], gone: str) -> str:
    if gone:
        return f"Changed while read: {gone} is gone."
    names = [to_text(name) for name in sorted({row[0] for row in identity(before) ^ identity(after)})]
    return f"Changed while read: {', '.join(names[:3])}. Verify again when nothing writes to it."


def _ended(outcome: Outcome, detail: str, files: tuple[FileStat, ...], seconds: float = 0.0) -> Verification:
    return Verification(outcome=outcome, detail=detail, seconds=seconds, files=files, finished_at=datetime.now(UTC))
