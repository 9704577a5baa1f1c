"""The plan: what would go and what stays, each with its reasons. An immutable value; nothing is moved here. Pure.

Protection is no policy and cannot be switched off: the latest restorable of a series, its sole member, what is pinned,
what a manifest hands over to a job that has not finished, and all of a live run but its leftovers. Checkpoints, whole
or damaged, go by a policy only; leftovers go when they are older than the grace. A policy about whole trials of a sweep
is the one that takes a latest restorable: of trials that are not among the best (`RunPlan.emptied`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from core.base.facts import Format
from core.base.records import Checkpoint, Health, Leftover
from core.formats.registry import spec_of
from core.health.unjudged import UNJUDGED, is_unjudged
from core.retention.best_trials import rule_of
from core.retention.left_behind import irreplaceable, is_interrupted, is_leftover
from core.retention.links import led_to
from core.retention.planned import Item, ItemKind, RunPlan, RunState, Stay, checkpoint_files, leftover_files
from core.retention.policies import Point, Policy, is_past
from core.runfolder.places import relative_to_run
from core.runs.series import in_series
from core.runs.series_order import why_times_are_useless
from waypoint_resume.names import to_text


def plan_run(state: RunState, policy: Policy, grace: float) -> RunPlan:
    """One run's part of a plan; `grace` is in seconds."""
    found: list[Item | Stay] = []
    needed = irreplaceable(state.checkpoints, state.leftovers)
    whole = in_series(state.checkpoints, state.leftovers)
    arranged = [saved for series in whole if (saved := [item for item in series if not is_interrupted(item)])]
    interrupted = [item for item in state.checkpoints if is_interrupted(item)]
    led = led_to(state.links, arranged, [*interrupted, *state.leftovers])
    emptied = _why_emptied(state, arranged, policy, led)
    for series in arranged:
        found += _series(state, series, policy, grace, needed, led, emptied)
    for item in interrupted:
        why = [*_held(state, item, led), *_told(needed, item.path)]
        found.append(_leftover_row(state, item, why, policy, grace))
    for left in state.leftovers:
        found.append(_leftover(state, left, policy, grace, [*_told(led, left.path), *_told(needed, left.path)]))
    return RunPlan(
        root=state.root,
        root_path=state.root_path,
        run=state.run,
        is_live=state.is_live,
        items=tuple(one for one in found if isinstance(one, Item)),
        stays=tuple(one for one in found if isinstance(one, Stay)),
        emptied=emptied,
        needs_word=state.is_live and any(isinstance(one, Item) and one.kind is ItemKind.CHECKPOINT for one in found),
    )


def _series(
    state: RunState,
    series: Sequence[Checkpoint],
    policy: Policy,
    grace: float,
    needed: Mapping[str, str],
    led: Mapping[str, str],
    emptied: str | None = None,
) -> Iterator[Item | Stay]:
    latest = max((place for place, item in enumerate(series) if item.restorable), default=-1)
    kept = _kept(state, series, policy)
    for place, item in enumerate(series):
        why = [*(() if emptied else _placed(series, place, latest)), *_held(state, item, led)]
        is_resumable = spec_of(item.format).is_resumable
        if not is_resumable:
            why.append("listed, not resumable here: no policy takes it")
        needs_files = is_resumable and not item.restorable and item.health is not Health.WRITING
        if needs_files and place > latest and not emptied:
            why.append("damaged, and nothing newer can be restored: its files may be brought back")
        if not item.restorable and is_unjudged(item.findings):
            why.append(f"nothing is known to be wrong with it ({item.findings[0].rule})")
        if is_leftover(item):
            yield _leftover_row(state, item, [*why, *_told(needed, item.path)], policy, grace)
            continue
        if item.health is Health.WRITING:
            why.append("being written")
        if _is_linked(item):
            why.append("a part of it lies behind a link out of the root")
        if state.is_live and not state.may_have_ended:
            why.append("live run: only leftovers go")
        by_policy = kept.get(item.path, ())
        if why:
            by_policy = by_policy if policy.rules else ()
            yield _stay(state, item, (*why, *by_policy), is_protected=True)
        elif by_policy:
            yield _stay(state, item, by_policy, is_protected=False)
        else:
            yield _go(ItemKind.CHECKPOINT, state, item, emptied or "no rule of the policy keeps it")


def _why_emptied(
    state: RunState, arranged: Sequence[Sequence[Checkpoint]], policy: Policy, led: Mapping[str, str]
) -> str | None:
    """Why all checkpoints of a sweep's trial go, the latest restorable too: it is not among the best, no rule keeps any
    of them, and nothing else protects one. All or none: else what protects the latest of every series holds here too.
    """
    place = state.trial
    if place is None or state.is_live:
        return None
    rule = rule_of(policy)
    if rule is None or rule.why_stays(place) is not None:
        return None
    saved = [item for series in arranged for item in series if not is_leftover(item)]
    if not saved or any(_kept(state, series, policy) for series in arranged):
        return None
    is_held = any(
        _held(state, item, led)
        or item.health is Health.WRITING
        or _is_linked(item)
        or (not item.restorable and is_unjudged(item.findings))
        for item in saved
    )
    return None if is_held else rule.why_goes(place)


def _is_linked(item: Checkpoint) -> bool:
    """Whether a shard is there that is none of its files."""
    names = {file.name for file in item.files}
    return any(shard.actual is not None and shard.name not in names for shard in item.facts.shards)


def _kept(state: RunState, series: Sequence[Checkpoint], policy: Policy) -> dict[str, tuple[str, ...]]:
    """What the policy keeps of a series, by path. Leftovers take no place in it."""
    members = [item for item in series if not is_leftover(item)]
    no_times = why_times_are_useless(members) is not None
    points = [
        Point(
            step=None if item.facts.step is None else item.facts.step.value,
            time=None if no_times else item.saved_at,
            metric=item.metric,
            restorable=item.restorable,
            pinned=state.pins.why(_text(state, item.path), item.format) is not None,
            trial=state.trial,
        )
        for item in members
    ]
    now = datetime.fromtimestamp(state.now_ns // 1_000_000_000, UTC)
    return {members[place].path: reasons for place, reasons in policy.kept(points, now).items()}


def _placed(series: Sequence[Checkpoint], place: int, latest: int) -> Iterator[str]:
    """Why a member's place in its series protects it."""
    if place == latest:
        yield "latest restorable"
    if len(series) == 1:
        yield "sole member of its series"


def _held(state: RunState, item: Checkpoint, led: Mapping[str, str]) -> list[str]:
    """Why people's decisions, or a link that they made, protect a checkpoint."""
    return [*_decided(state, item.path, item.format), *_told(led, item.path)]


def _decided(state: RunState, path: str, form: Format | None) -> list[str]:
    """Why people's decisions protect something; `path` is relative to the root."""
    text = _text(state, path)
    pinned = state.pins.why(text, form)
    reasons = [] if pinned is None else [pinned]
    if (note := state.accepted.get(path)) is not None:
        reasons.append(f"accepted as it is: {note}" if note else "accepted as it is")
    if (named_by := state.named_by.get(path)) is not None:
        folder, _, name = named_by.rpartition("/")
        is_beside = folder == path.rpartition("/")[0]
        away = f"a state file in another folder, {to_text(named_by)}"
        reasons.append(f"named by {f'{to_text(name)} as its latest' if is_beside else away}")
    reasons += [
        f"a manifest cannot be read, so that nothing it may name goes ({problem.path}: {problem.problem})"
        for problem in state.manifests.problems[:1]
    ]
    for entry in state.manifests.entries:
        if entry.needs_checkpoint and entry.manifest.whole_path == text:
            word = "pending manifest" if entry.claim is None else "claimed manifest, its job has not finished"
            reasons.append(f"{word} ({entry.manifest.created_by}, {entry.manifest.id})")
    return reasons


def _leftover_row(state: RunState, item: Checkpoint, why: Sequence[str], policy: Policy, grace: float) -> Item | Stay:
    """A checkpoint that is none: an index without shards, a save that was never committed."""
    young = _young(state, [file.mtime_ns for file in item.files], policy, grace)
    if why or young:
        return _stay(state, item, (*why, *young), is_protected=True, kind=ItemKind.LEFTOVER)
    return _go(ItemKind.LEFTOVER, state, item, item.findings[0].reason)


def _leftover(state: RunState, item: Leftover, policy: Policy, grace: float, needed: Sequence[str]) -> Item | Stay:
    files = leftover_files(state.run, item)
    why = [*_decided(state, item.path, None), *_young(state, [file.mtime_ns for file in files], policy, grace)]
    why += needed
    if item.rule in UNJUDGED:
        why.append(f"nothing is known to be wrong with it ({item.rule})")
    if item.writing:
        why.append("being written")
    path = relative_to_run(item.path, state.run)
    if why:
        size = sum(file.size for file in files)
        return Stay(kind=ItemKind.LEFTOVER, path=path, format=None, bytes=size, is_protected=True, reasons=tuple(why))
    return Item(kind=ItemKind.LEFTOVER, path=path, format=None, reason=item.reason, files=files)


def _told(needed: Mapping[str, str], path: str) -> list[str]:
    return [needed[path]] if path in needed else []


def _young(state: RunState, times: Sequence[int], policy: Policy, grace: float) -> list[str]:
    if is_past(max(times, default=state.now_ns), state.now_ns, grace=grace, after=policy.leftovers_after):
        return []
    return ["a leftover that is too young: a save may still be writing it"]


def _go(kind: ItemKind, state: RunState, item: Checkpoint, reason: str) -> Item:
    path = relative_to_run(item.path, state.run)
    return Item(kind=kind, path=path, format=item.format, reason=reason, files=checkpoint_files(item))


def _stay(
    state: RunState,
    item: Checkpoint,
    reasons: tuple[str, ...],
    *,
    is_protected: bool,
    kind: ItemKind = ItemKind.CHECKPOINT,
) -> Stay:
    path = relative_to_run(item.path, state.run)
    return Stay(kind=kind, path=path, format=item.format, bytes=item.bytes, is_protected=is_protected, reasons=reasons)


def _text(state: RunState, path: str) -> str:
    """A path relative to the root as decisions write it."""
    return to_text(relative_to_run(path, state.run))
