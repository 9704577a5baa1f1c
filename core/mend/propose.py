"""What a mended state file would say. Pure: the caller tells what lies on disk.

A state file that is written here never lists a checkpoint that the old one did not list, for TensorFlow's next rotation
would delete it. `model_checkpoint_path` is no such list: a CheckpointManager deletes only what stands in
`all_model_checkpoint_paths`, so a latest that the old file did not list is named there and not listed.
"""

import difflib
import posixpath
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from core.base.errors import AmbiguousError, CoreError, NotFoundError, NotRestorableError
from core.base.records import Checkpoint
from core.formats import state_file
from core.mend.on_disk import Entry, StateContent, read_content
from core.runs.series import in_series
from core.runs.state_files import Answer, is_nameable, tensorflow_answer
from waypoint_resume import state_files
from waypoint_resume.file_names import read_name
from waypoint_resume.names import join, to_text

_SHOWN = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MendProposal:
    """A new content for one state file. Paths are relative to the root.

    `rules` are the findings that it answers; `is_picked` tells that a person picked the latest. `chosen` is the latest
    as the catalog knows it, None for one that it does not know. `listed` are those that TensorFlow may rotate (with
    `starts_anew` the latest alone, for there was no list), `dropped` the paths that leave the list, as written.
    `before` and `after` are what tf.train.latest_checkpoint gives. `next_save` is what a job that restores the latest
    saves next, where that can be told, and `overwrites` that path if something is there.
    """

    state: str
    rules: tuple[str, ...]
    is_picked: bool
    latest: str
    chosen: Checkpoint | None
    listed: tuple[str, ...]
    starts_anew: bool
    dropped: tuple[str, ...]
    old: bytes | None
    new: bytes
    before: Answer
    after: Answer
    next_save: str | None
    overwrites: str | None

    @property
    def why(self) -> str:
        """What the rewrite is for, for records and logs."""
        picked = [f"point the latest at {to_text(posixpath.basename(self.latest))}"] if self.is_picked else []
        return ", ".join([*self.rules, *picked])

    def diff(self) -> tuple[str, ...]:
        """The change as lines of a unified diff, printable."""
        name = to_text(self.state)
        lines = difflib.unified_diff(
            _lines(self.old), _lines(self.new), f"{name} (now)", f"{name} (mended)", lineterm=""
        )
        return tuple(lines)


def propose(
    path: str,
    data: bytes | None,
    root_path: str,
    members: Sequence[Checkpoint],
    existing: Collection[str],
    picked: Checkpoint | None = None,
) -> MendProposal | None:
    """How a state file would be mended; None where nothing is to be done. `data` is what it holds now, None where it is
    absent; `members` are the run's checkpoints; `existing` are the prefixes on disk, at least all that the file names
    and those of `members`. `picked` becomes the latest; without it nothing is proposed for a file that is not broken.

    NotRestorableError where nothing can be the latest, AmbiguousError where several series could be meant, CoreError
    for a pick that a state file cannot name.
    """
    content = read_content(path, data, root_path, existing)
    rules = ("no-state",) if data is None else tuple(content.rules())
    if picked is None and (data is None or not rules):
        return None
    latest = _latest(path, content, members, existing, picked)
    if not rules and content.latest is not None and content.latest.prefix == latest:
        return None
    listed = [Entry(latest, latest)] if content.names_nothing else in_order(content.listed, latest)
    new = state_text(posixpath.dirname(path), latest, listed, content.preserved)
    chosen = next((item for item in members if item.path == latest and is_nameable(item)), None)
    next_save = None if chosen is None else _next_save(chosen)
    return MendProposal(
        state=path,
        rules=rules,
        is_picked=picked is not None,
        latest=latest,
        chosen=chosen,
        listed=tuple(entry.prefix for entry in listed if entry.prefix is not None),
        starts_anew=content.names_nothing,
        dropped=tuple(dict.fromkeys(entry.written for entry in content.listed if entry.prefix is None)),
        old=data,
        new=new,
        before=Answer() if data is None else tensorflow_answer(content.record, root_path, existing),
        after=tensorflow_answer(state_file.parse(path, new), root_path, existing),
        next_save=next_save,
        overwrites=next_save if next_save in existing else None,
    )


def _latest(
    path: str,
    content: StateContent,
    members: Sequence[Checkpoint],
    existing: Collection[str],
    picked: Checkpoint | None,
) -> str:
    """Which checkpoint the new file names as the latest."""
    folder = posixpath.dirname(path)
    if picked is not None:
        _require_nameable(picked, folder, existing)
        return picked.path
    if content.latest is not None and content.latest.prefix is not None:
        return content.latest.prefix
    about = _stem(content)
    best = [
        item
        for item in _recommended(members, folder, existing)
        if about in (None, item.stem, item.stem.rpartition("/")[2])
    ]
    series = "" if about is None else f" of the series {to_text(about).replace('#', 'N')}"
    where = to_text(folder) or "the root"
    if not best:
        raise NotRestorableError(
            f"{to_text(path)}: nothing{series} in {where} can be restored, so no checkpoint can become the latest."
        )
    if len(best) > 1:
        names = ", ".join(to_text(item.path) for item in best)
        raise AmbiguousError(
            f"{to_text(path)}: which series it was about is not known; name the latest with --latest: {names}."
        )
    _require_nameable(best[0], folder, existing)
    return best[0].path


def _stem(content: StateContent) -> str | None:
    """The name without numbers of what the file was about; None where it tells nothing."""
    written = content.latest or (content.listed[-1] if content.listed else None)
    return None if written is None else read_name(state_file.base_of(written.written)).stem


def _recommended(members: Sequence[Checkpoint], folder: str, existing: Collection[str]) -> Iterator[Checkpoint]:
    """The latest restorable of each series in the folder that a state file can name."""
    here = [item for item in members if is_nameable(item) and posixpath.dirname(item.path) == folder]
    for series in in_series(here):
        found = [item for item in series if item.restorable and item.path in existing]
        yield from found[-1:]


def _require_nameable(item: Checkpoint, folder: str, existing: Collection[str]) -> None:
    name = to_text(item.path)
    if not is_nameable(item):
        raise CoreError(f"{name} is no TensorFlow checkpoint ({item.format.value}): no state file speaks of it.")
    if posixpath.dirname(item.path) != folder:
        raise CoreError(f"{name} does not lie in {to_text(folder) or 'the root'}, beside the state file.")
    if item.path not in existing:
        raise NotFoundError(f"{name} is not there any more.")
    if not item.restorable:
        raise NotRestorableError(f"{name} cannot be restored, so it cannot become the latest.")
    try:
        item.path.encode()
    except UnicodeEncodeError:
        raise CoreError(f"{name}: a state file cannot name it, for its name is not UTF-8.") from None


def in_order(entries: Sequence[Entry], latest: str) -> list[Entry]:
    """The entries that are there, each once, in their order with the latest last, as TensorFlow wants it.

    Those with a time stay in front, for TensorFlow pairs times from the front; it never rotates the others.
    """
    there = [entry for entry in entries if entry.prefix is not None]
    timed = {entry.prefix: entry for entry in there if entry.time is not None}
    untimed = {entry.prefix: entry for entry in there if entry.time is None and entry.prefix not in timed}
    for group in (timed, untimed):
        if latest in group:
            group[latest] = group.pop(latest)
    return [*timed.values(), *untimed.values()]


def state_text(folder: str, latest: str, listed: Sequence[Entry], preserved: float) -> bytes:
    """The file as TensorFlow writes it, its paths relative to its folder."""

    def relative(prefix: str | None) -> str:
        return posixpath.relpath(join("/", prefix or ""), join("/", folder))

    names = [relative(entry.prefix) for entry in listed]
    times = [entry.time for entry in listed if entry.time is not None]
    return state_files.state_text(relative(latest), names, times, preserved)


def _next_save(item: Checkpoint) -> str | None:
    """What a job that restores this checkpoint saves next, where its name ends in its own count of saves."""
    saves = item.facts.save_counter
    if saves is None or not item.path.endswith(f"-{saves.value}"):
        return None
    return f"{item.path.removesuffix(str(saves.value))}{saves.value + 1}"


def _lines(data: bytes | None) -> list[str]:
    """A state file's lines for people; one line in the place of what is no text."""
    if not data:
        return []
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    lines = text.removesuffix("\n").split("\n")
    if len(data) > _SHOWN or "\0" in text:
        return [f"({len(data):,} bytes that are no state file)"]
    return [to_text(line) for line in lines]
