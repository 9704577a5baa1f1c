"""Rules over a whole run."""

from collections.abc import Iterable, Sequence

from core.base.facts import Contents
from core.base.records import Checkpoint, Finding, Health, Leftover, Severity
from core.formats.registry import spec_of
from core.health.rule import Family, Rule
from core.health.run_facts import RunFacts
from core.health.unjudged import UNJUDGED, is_unjudged
from core.runs.name_evidence import content_step
from core.runs.remains import RENAMED
from core.runs.series_order import ordered
from waypoint_resume.checkpoints import worker_temp
from waypoint_resume.names import to_text

NOTHING_RESTORABLE = Rule(
    id="nothing-restorable",
    family=Family.RUN,
    severity=Severity.ERROR,
    meaning="No checkpoint of this run can be restored.",
    why="See the findings of its checkpoints.",
    action="Bring missing files back, or start the job anew.",
)
NEWEST_NOT_RESTORABLE = Rule(
    id="newest-not-restorable",
    family=Family.RUN,
    severity=Severity.ERROR,
    meaning="The newest checkpoint of a series cannot be restored; an older one can.",
    why="See the findings of the newest one.",
    action="Resume from the recommended checkpoint; the work since then would be lost.",
)
OPTIMIZER_LOST = Rule(
    id="optimizer-lost",
    family=Family.RUN,
    severity=Severity.WARNING,
    meaning="The newest that can be restored has weights only; earlier ones had the optimizer's state too.",
    why="The job was changed to save weights only, or the model was saved before it was compiled.",
    action="Training would go on with a fresh optimizer: resume from an earlier one if that matters.",
)
DELETED_RUN = Rule(
    id="deleted-run",
    family=Family.RUN,
    severity=Severity.INFO,
    meaning="MLflow marks this run, or its experiment, as deleted.",
    why="Somebody deleted it there; MLflow keeps the files until `mlflow gc`, which then deletes them for good.",
    action="Restore it in MLflow if it is still wanted: `mlflow runs restore --run-id`, `mlflow experiments restore`.",
)
RULES = (
    NOTHING_RESTORABLE,
    NEWEST_NOT_RESTORABLE,
    OPTIMIZER_LOST,
    DELETED_RUN,
)

_SHARD = ".data-"  # in the name of a file with values


def findings(facts: RunFacts) -> Iterable[Finding]:
    """Findings about a run."""
    yield from judge_run(facts.run, facts.series, facts.leftovers)
    if facts.is_deleted:
        yield DELETED_RUN.finding(facts.run, "MLflow marks it, or its experiment, as deleted.")


def judge_run(
    run: str, series: Sequence[Sequence[Checkpoint]], leftovers: Sequence[Leftover] = ()
) -> Iterable[Finding]:
    """Findings about a run; each series is ordered, newest last."""
    series = [one for one in series if one and spec_of(one[0].format).is_resumable]  # nobody waits for the others
    members = [item for one in series for item in one]
    if not any(item.restorable for item in members):
        if any(item.health is Health.WRITING or is_unjudged(item.findings) for item in members):
            return
        if members:
            yield NOTHING_RESTORABLE.finding(run, _none(len(members)) + _but_copies(leftovers))
        elif not any(item.writing or item.rule in UNJUDGED for item in leftovers):
            yield from _only_shards(run, leftovers)
        return
    for every in series:
        one = [item for item in every if item.health is not Health.WRITING]
        newest = one[-1] if one else None
        best = next((item for item in reversed(one) if item.restorable), None)
        if newest is None or is_unjudged(newest.findings):
            continue
        if best is not None and best is not newest:
            yield NEWEST_NOT_RESTORABLE.finding(newest.path, _lost(one, best))
    yield from _optimizer_lost(members)


def _optimizer_lost(members: Sequence[Checkpoint]) -> Iterable[Finding]:
    """With and without the optimizer are two series, as their variables differ: here names tell what belongs."""
    if len({item.facts.has_optimizer for item in members}) < 2:
        return
    places: dict[tuple[str, str, str], list[Checkpoint]] = {}
    for item in members:
        if item.restorable and item.facts.contents is not Contents.UNKNOWN:
            places.setdefault((item.path.rpartition("/")[0], item.format.value, item.stem), []).append(item)
    for items in places.values():
        *earlier, newest = ordered(items)
        having = [item for item in earlier if item.facts.has_optimizer]
        if having and not newest.facts.has_optimizer:
            reason = f"It holds no optimizer state; {to_text(having[-1].path)} was the last that did."
            yield OPTIMIZER_LOST.finding(newest.path, reason)


def _but_copies(leftovers: Sequence[Leftover]) -> str:
    """What lies there under another name, and whole."""
    paths = [to_text(item.path) for item in leftovers if item.rule == RENAMED]
    if not paths:
        return ""
    more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    return f" But {paths[0]}{more} is whole, under another name: rename it before you start anew."


def _lost(series: Sequence[Checkpoint], best: Checkpoint) -> str:
    new, old = content_step(series[-1]), content_step(best)
    if new is not None and old is not None and new > old:
        lost = _count(new - old, "step")
    else:
        lost = _count(len(series) - 1 - list(series).index(best), "save")
    return f"The newest that can be restored is {to_text(best.path)}: {lost} would be lost."


def _only_shards(run: str, leftovers: Iterable[Leftover]) -> Iterable[Finding]:
    """Values without an index are all that the run has: what was copied without its index, or the first save."""
    held = [
        item for item in leftovers if worker_temp(item.path) is None and any(_SHARD in file.name for file in item.files)
    ]
    if held:
        more = "" if len(held) == 1 else f" and {_count(len(held) - 1, 'more save')}"
        yield NOTHING_RESTORABLE.finding(
            run,
            f"It has no checkpoint, only data without an index: {to_text(held[0].path)}{more}.",
        )


def _none(members: int) -> str:
    return (
        "Its only checkpoint cannot be restored."
        if members == 1
        else f"None of {members:,} checkpoints can be restored."
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
