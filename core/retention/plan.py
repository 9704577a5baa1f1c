"""The plan: what would go and what stays, each with its reasons. An immutable value; nothing is moved here. Pure.

Protection is no policy and cannot be switched off: the latest restorable of a series, its best by a metric that
somebody named for the run or its project, its sole member, what is pinned, what a manifest hands over to a job that has
not finished, and all of a live run but its leftovers. Checkpoints, whole or damaged, go by a policy only; leftovers go
when they are older than the grace. A policy about whole trials of a sweep is the one that takes a latest restorable: of
trials that are not among the best (`RunPlan.emptied`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint, Health, Leftover
from core.formats.file_groups import LEFT_BY
from core.formats.registry import spec_of
from core.health.unjudged import UNJUDGED, is_unjudged
from core.retention.best_trials import rule_of
from core.retention.left_behind import irreplaceable, is_interrupted, is_leftover, leftover_folder
from core.retention.links import led_to
from core.retention.planned import Item, ItemKind, PlannedFile, RunPlan, RunState, Stay
from core.retention.policies import Point, Policy, is_past
from core.runfolder.places import relative_to_run
from core.runs.series import in_series
from core.runs.series_order import why_times_are_useless
from waypoint_resume.names import join, to_text


def plan_run(state: RunState, policy: Policy, grace: float) -> RunPlan:
    """One run's part of a plan; `grace` is in seconds."""
    whole = in_series(state.checkpoints, state.leftovers)
    arranged = [saved for series in whole if (saved := [item for item in series if not is_interrupted(item)])]
    interrupted = [item for item in state.checkpoints if is_interrupted(item)]
    needed = irreplaceable(state.checkpoints, state.leftovers)
    led = led_to(state.links, arranged, [*interrupted, *state.leftovers])
    planning = _Planning(state=state, policy=policy, grace=grace, needed=needed, led=led)
    emptied = planning.why_emptied(arranged)
    found = [one for series in arranged for one in planning.series(series, emptied)]
    found += [planning.left_checkpoint(item, planning.held(item)) for item in interrupted]
    found += [planning.leftover(item) for item in state.leftovers]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planning:
    """The plan of one run in the making: why what is left of saves is needed, and what links lead to, by path."""

    state: RunState
    policy: Policy
    grace: float
    needed: Mapping[str, str]
    led: Mapping[str, str]

    def series(self, series: Sequence[Checkpoint], emptied: str | None) -> Iterator[Item | Stay]:
        """What becomes of each member of a series; `emptied` says why its whole trial goes."""
        latest = max((place for place, item in enumerate(series) if item.restorable), default=-1)
        kept = self._kept(series)
        for place, item in enumerate(series):
            why = [*self.held(item)]
            if not emptied:
                why = [*_placed(series, place, latest), *_told(self.state.best, item.path), *why]
            is_resumable = spec_of(item.format).is_resumable
            if not is_resumable:
                why.append("listed, not resumable here: no policy takes it")
            needs_files = is_resumable and not item.restorable and item.health is not Health.WRITING
            if needs_files and place > latest and not emptied:
                why.append("damaged, and nothing newer can be restored: its files may be brought back")
            if is_leftover(item):
                yield self.left_checkpoint(item, [*why, *_of_itself(item, is_left=True)])
                continue
            why += _of_itself(item)
            if self.state.is_live and not self.state.may_have_ended:
                why.append("live run: only leftovers go")
            by_policy = kept.get(item.path, ())
            path = self._within(item.path)
            if why or by_policy:
                yield Stay(
                    kind=ItemKind.CHECKPOINT,
                    path=path,
                    format=item.format,
                    bytes=item.bytes,
                    is_protected=bool(why),
                    reasons=(*why, *(by_policy if self.policy.rules or not why else ())),
                )
            else:
                yield Item(
                    kind=ItemKind.CHECKPOINT,
                    path=path,
                    format=item.format,
                    reason=emptied or "no rule of the policy keeps it",
                    files=checkpoint_files(item),
                )

    def why_emptied(self, arranged: Sequence[Sequence[Checkpoint]]) -> str | None:
        """Why all checkpoints of a sweep's trial go, the latest restorable too: it is not among the best, no rule keeps
        any of them, and nothing else protects one. All or none: else what protects the latest of every series holds
        here too.
        """
        trial = self.state.trial
        if trial is None or self.state.is_live:
            return None
        rule = rule_of(self.policy)
        if rule is None or rule.why_stays(trial) is not None:
            return None
        saved = [item for series in arranged for item in series if not is_leftover(item)]
        if not saved or any(map(self._kept, arranged)) or any(self.held(item) or _of_itself(item) for item in saved):
            return None
        return rule.why_goes(trial)

    def left_checkpoint(self, item: Checkpoint, why: Sequence[str]) -> Item | Stay:
        """A checkpoint that is none: an index without shards, a save that was never committed."""
        files = checkpoint_files(item)
        why = [*why, *_told(self.needed, item.path), *self._young(files)]
        return self._left(item.path, item.format, files, why, item.findings[0].reason)

    def leftover(self, item: Leftover) -> Item | Stay:
        """Files that belong to no checkpoint."""
        files = _files(self.state.run, leftover_folder(item), LEFT_BY, item.files)
        why = [*self._decided(item.path, None), *self._young(files)]
        why += [*_told(self.led, item.path), *_told(self.needed, item.path)]
        if item.rule in UNJUDGED:
            why.append(f"nothing is known to be wrong with it ({item.rule})")
        if item.writing:
            why.append("being written")
        return self._left(item.path, None, files, why, item.reason)

    def _left(
        self, path: str, form: Format | None, files: tuple[PlannedFile, ...], why: Sequence[str], reason: str
    ) -> Item | Stay:
        path, kind = self._within(path), ItemKind.LEFTOVER
        if not why:
            return Item(kind=kind, path=path, format=form, reason=reason, files=files)
        size = sum(file.size for file in files)
        return Stay(kind=kind, path=path, format=form, bytes=size, is_protected=True, reasons=tuple(why))

    def _kept(self, series: Sequence[Checkpoint]) -> dict[str, tuple[str, ...]]:
        """What the policy keeps of a series, by path. Leftovers take no place in it."""
        members = [item for item in series if not is_leftover(item)]
        no_times = why_times_are_useless(members) is not None
        points = [
            Point(
                step=None if item.facts.step is None else item.facts.step.value,
                time=None if no_times else item.saved_at,
                metric=item.metric,
                values=self.state.values.get(item.path, {}),
                restorable=item.restorable,
                pinned=self.state.pins.why(self._text(item.path), item.format) is not None,
                trial=self.state.trial,
            )
            for item in members
        ]
        now = datetime.fromtimestamp(self.state.now_ns // 1_000_000_000, UTC)
        return {members[place].path: reasons for place, reasons in self.policy.kept(points, now).items()}

    def held(self, item: Checkpoint) -> list[str]:
        """Why people's decisions, or a link that they made, protect a checkpoint."""
        return [*self._decided(item.path, item.format), *_told(self.led, item.path)]

    def _decided(self, path: str, form: Format | None) -> list[str]:
        """Why people's decisions protect something; `path` is relative to the root."""
        state, text = self.state, self._text(path)
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

    def _young(self, files: Sequence[PlannedFile]) -> Iterator[str]:
        now_ns = self.state.now_ns
        newest = max((file.mtime_ns for file in files), default=now_ns)
        if not is_past(newest, now_ns, grace=self.grace, after=self.policy.leftovers_after):
            yield "a leftover that is too young: a save may still be writing it"

    def _within(self, path: str) -> str:
        return relative_to_run(path, self.state.run)

    def _text(self, path: str) -> str:
        """A path relative to the root as decisions write it."""
        return to_text(self._within(path))


def _placed(series: Sequence[Checkpoint], place: int, latest: int) -> Iterator[str]:
    """Why a member's place in its series protects it."""
    if place == latest:
        yield "latest restorable"
    if len(series) == 1:
        yield "sole member of its series"


def _of_itself(item: Checkpoint, *, is_left: bool = False) -> list[str]:
    """Why a checkpoint stays whatever stands beside it; `is_left`: it is none, and only what was judged counts."""
    why = []
    if not item.restorable and is_unjudged(item.findings):
        why.append(f"nothing is known to be wrong with it ({item.findings[0].rule})")
    if is_left:
        return why
    if item.health is Health.WRITING:
        why.append("being written")
    names = {file.name for file in item.files}
    if any(shard.actual is not None and shard.name not in names for shard in item.facts.shards):
        why.append("a part of it lies behind a link out of the root")
    return why


def _told(reasons: Mapping[str, str], path: str) -> Iterator[str]:
    if path in reasons:
        yield reasons[path]


def checkpoint_files(item: Checkpoint) -> tuple[PlannedFile, ...]:
    """A checkpoint's files in the order in which they go."""
    return _files(item.run, item.folder, item.format, item.files)


def _files(run: str, folder: str, form: Format, files: Iterable[FileStat]) -> tuple[PlannedFile, ...]:
    order = spec_of(form).moving_order
    in_order = sorted(files, key=lambda file: order(file.name))
    return tuple(planned_file(relative_to_run(join(folder, file.name), run), file) for file in in_order)


def planned_file(path: str, file: FileStat) -> PlannedFile:
    """A file under its path."""
    return PlannedFile(path, file.size, file.mtime_ns, file.allocated, file.links, file.inode, file.device)
