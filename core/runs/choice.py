"""The first question's answer: which checkpoint to resume from, and why the newer ones were passed over. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from core.base.records import Checkpoint, Health, Leftover, StateFile
from core.formats.registry import spec_of
from core.formats.state_file import NAME
from core.runs.name_evidence import place_of
from core.runs.remains import CLOSED
from core.runs.series import in_series
from core.runs.series_order import Order, order_of, why_times_are_useless
from core.runs.state_files import Answer, tensorflow_answer
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A newer checkpoint that cannot be resumed from, with the reasons."""

    checkpoint: Checkpoint
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChoice:
    """One series and its answer. `members` come newest first; `chosen` is the latest restorable; `tensorflow_latest` is
    what tf.train.latest_checkpoint gives for the folder of the newest, relative to the root.
    """

    id: str
    name: str
    members: tuple[Checkpoint, ...]
    latest: Checkpoint
    chosen: Checkpoint | None
    passed_over: tuple[PassedOver, ...]
    why: str
    order_note: str | None = None
    tensorflow_latest: str | None = None
    tensorflow_error: str | None = None


def choose(
    checkpoints: Sequence[Checkpoint], states: Sequence[StateFile], root_path: str, existing: Collection[str]
) -> tuple[SeriesChoice, ...]:
    """The choice of each series of one run: those from which training can go on by their format, the newest save first,
    then the others. `existing` are the prefixes of the
    root that have an index (or are V1 files).
    """
    by_folder = {state.path.rpartition("/")[0]: state for state in states if state.path.rpartition("/")[2] == NAME}
    choices = []
    for members in in_series(checkpoints):
        state = by_folder.get(members[-1].path.rpartition("/")[0])
        answer = Answer() if state is None else tensorflow_answer(state, root_path, existing)
        choices.append(_choice(tuple(reversed(members)), answer))
    return tuple(sorted(choices, key=_place))


def killed_saves(choices: Iterable[SeriesChoice], leftovers: Iterable[Leftover]) -> tuple[str, ...]:
    """Where no series has anything to resume from: what is told of saves that lack only their name, from which a job
    may go on by itself.
    """
    if any(choice.chosen for choice in choices):
        return ()
    return tuple(item.reason for item in leftovers if item.rule == "unrenamed-save" and not item.writing)


def closed_folders(leftovers: Iterable[Leftover]) -> tuple[str, ...]:
    """What is told of folders that may not be looked into, in which newer checkpoints may lie."""
    return tuple(
        f"{to_text(item.path)} is passed over, and may hold a newer checkpoint: {item.reason}"
        for item in leftovers
        if item.rule == CLOSED
    )


def _place(choice: SeriesChoice) -> tuple[object, ...]:
    latest = choice.latest
    return (not spec_of(latest.format).is_resumable, -latest.saved_at.timestamp(), choice.name)


def _choice(members: tuple[Checkpoint, ...], answer: Answer) -> SeriesChoice:
    chosen = next((item for item in members if item.restorable), None)
    newer = members if chosen is None else members[: members.index(chosen)]
    first = members[0]
    folder = place_of(first)
    within = folder[len(first.run) :].lstrip("/") if first.run != "." else folder
    return SeriesChoice(
        id=first.series,
        name=to_text(f"{within}/{first.stem}" if within else first.stem).replace("#", "N"),
        members=members,
        latest=first,
        chosen=chosen,
        passed_over=tuple(PassedOver(checkpoint=item, reasons=reasons(item)) for item in newer),
        why=_why(members, chosen, len(newer)),
        order_note=_order_note(members, chosen),
        tensorflow_latest=answer.latest,
        tensorflow_error=answer.error,
    )


def _order_note(members: Sequence[Checkpoint], chosen: Checkpoint | None) -> str | None:
    """What to know of the order: that it is not by time, or that an earlier save has a higher step."""
    if (why := why_times_are_useless(members)) is not None:
        return f"{why}, as in a copied tree, so the order is that of the {order_of(members).value}."
    if order_of(members) is Order.DATES:
        return "The order is that of the dates in the names."
    if chosen is None or chosen.facts.step is None:
        return None
    steps = [(item.facts.step.value, item) for item in members if item.restorable and item.facts.step is not None]
    highest, item = max(steps, key=lambda pair: pair[0])
    if highest <= chosen.facts.step.value:
        return None
    return (
        f"{to_text(item.path)} has a higher step ({highest:,}) but was saved earlier, so training was restarted or "
        "rewound since. If these files were copied, their times may mislead: pick it by hand then."
    )


def reasons(item: Checkpoint) -> tuple[str, ...]:
    """Why a checkpoint cannot be resumed from; empty for a restorable one."""
    if item.restorable:
        return ()
    if item.health is Health.WRITING:
        return ("It is being written.",)
    own = tuple(f"{found.rule}: {found.reason}" for found in item.findings if found.rule != "newest-not-restorable")
    spec = spec_of(item.format)
    if not spec.is_resumable:
        return (*own, spec.not_resumable)
    return own or ("Its files are not whole.",)


def _why(members: Sequence[Checkpoint], chosen: Checkpoint | None, newer: int) -> str:
    if chosen is None and not (spec := spec_of(members[0].format)).is_resumable:
        return spec.not_resumable
    if chosen is None:
        return f"None of {len(members)} can be restored." if len(members) > 1 else "It cannot be restored."
    if newer:
        return f"The newest that can be restored; {newer} newer {'one' if newer == 1 else 'ones'} cannot."
    if len(members) == 1:
        return "The only checkpoint of its series, and it can be restored."
    return f"The newest of {len(members)}, and it can be restored."
