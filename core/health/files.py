"""Rules over one checkpoint's own files: is all there, is it whole, does it belong together."""

from collections.abc import Collection, Mapping, Sequence

from core.base.facts import Facts, Format, Shard
from core.base.records import Finding, Severity
from core.formats.reading import NOT_JUDGED
from core.formats.registry import spec_of
from core.health.left import INTERRUPTED_SAVE, PACKED_FILE, UNOPENABLE_STEP, UNRENAMED_SAVE
from core.health.rule import Family, Rule
from waypoint_resume.names import to_text
from waypoint_resume.packed import unpack_told

ORPHAN_INDEX = Rule(
    id="orphan-index",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="The index is there, none of its data shards is.",
    why="The shards were deleted, not copied, or excluded by a size limit.",
    action="Bring the shards back from where they were copied; without them nothing can be restored.",
)
MISSING_SHARD = Rule(
    id="missing-shard",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="Some of the data shards that the index names are missing.",
    why="A copy stopped early, or a worker's shard never reached this folder.",
    action="Bring the missing shards back, or resume from an older checkpoint.",
)
TRUNCATED_SHARD = Rule(
    id="truncated-shard",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="A data shard is shorter than the index says.",
    why="A full disk, a copy that stopped early, or a save cut off.",
    action="Copy the shard again, or resume from an older checkpoint.",
)
STALE_INDEX = Rule(
    id="stale-index",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="The data shards are no longer those that the index describes.",
    why="The same prefix was written again and the save stopped between shards and index.",
    action="TensorFlow refuses values whose checksum does not hold: resume from another one and let the job "
    "save again.",
)
UNREADABLE_INDEX = Rule(
    id="unreadable-index",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="The index cannot be read.",
    why="A full disk, a copy that stopped early, or a damaged disk.",
    action="Copy the index again, or resume from an older checkpoint.",
)
UNREADABLE_FILE = Rule(
    id="unreadable-file",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="The checkpoint's file cannot be read to its end.",
    why="A full disk, a copy or a save that stopped early, or a damaged disk.",
    action="Copy the file again, or resume from an older checkpoint.",
)
EMPTY_FILE = Rule(
    id="empty-file",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="A file of the checkpoint has no bytes.",
    why="A full disk, or a save that was killed.",
    action="Copy the file again, or resume from an older checkpoint.",
)
LFS_POINTER = Rule(
    id="lfs-pointer",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="A Git LFS pointer stands in the place of a file.",
    why="The repository was cloned without Git LFS.",
    action="Run `git lfs pull` in that repository.",
)
PATTERN_PATH = Rule(
    id="pattern-path",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="TensorFlow takes its path for a pattern, which matches other names, and restores nothing from it.",
    why="A folder's name holds brackets or a backslash, as Hydra's do. TensorFlow saves there and cannot read it.",
    action="Rename the folder, or restore through a link whose path has no such characters: the files are complete.",
    is_damage=False,
)
NO_PERMISSION = Rule(
    id="no-permission",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="A file of a checkpoint, or a state file, may not be read by the user that Waypoint runs as.",
    why="Its owner gave the right to read it to nobody else.",
    action="Ask its owner for the right to read it. Nothing is known to be wrong with it.",
    is_damage=False,
)
NOT_TOLD = Rule(
    id="not-told",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="Whether it can be restored is not told: it is larger than what is read, or stored in another way.",
    why="Files are not trusted, so that one may cost only so much (docs/formats.md, Limits).",
    action="Let its library read it: `python -m core verify --restore`. It is no damage, and no plan takes it.",
    is_damage=False,
)
RULES = (
    ORPHAN_INDEX,
    MISSING_SHARD,
    TRUNCATED_SHARD,
    STALE_INDEX,
    UNREADABLE_INDEX,
    UNREADABLE_FILE,
    EMPTY_FILE,
    LFS_POINTER,
    PATTERN_PATH,
    NO_PERMISSION,
    NOT_TOLD,
)

# Kinds of problems that have a rule of their own, which says the kind.
_OF_KIND = {
    "empty": EMPTY_FILE,
    "lfs-pointer": LFS_POINTER,
    "pattern": PATTERN_PATH,
    "unrenamed": UNRENAMED_SAVE,
    "packed": PACKED_FILE,
    "unopenable": UNOPENABLE_STEP,
    **dict.fromkeys(NOT_JUDGED, NOT_TOLD),
    "permission": NO_PERMISSION,
}
_UNREADABLE = {rule.id: rule for rule in (UNREADABLE_INDEX, UNREADABLE_FILE)}


def judge(path: str, form: Format, facts: Facts) -> tuple[Finding, ...]:
    """Findings about one checkpoint's files, worst first. None of them: whole, as far as structure tells."""
    if facts.problem is not None and facts.problem.kind == "pattern":  # said of complete files only: damage goes first
        return judge(path, form, facts._replace(problem=None)) or (_unreadable(path, form, facts),)
    if facts.problem is not None:
        return (_unreadable(path, form, facts),)
    if not facts.committed:
        return (INTERRUPTED_SAVE.finding(path, "It has no mark of completion."),)
    if facts.mismatch is None and all(shard.actual == shard.expected is not None for shard in facts.shards):
        return ()
    return (*_judge_shards(path, facts.shards, facts.packed), *_judge_checksum(path, facts))[:1]


def is_restorable(form: Format, findings: Collection[Finding]) -> bool:
    """Whether training can go on from a checkpoint, by its format and the findings about its own files."""
    return not findings and spec_of(form).is_resumable


def _judge_shards(path: str, shards: tuple[Shard, ...], packed: Sequence[tuple[str, str]]) -> tuple[Finding, ...]:
    missing = [shard for shard in shards if shard.actual is None and shard.expected != 0]
    if missing:
        return (_missing(path, missing, shards, dict(packed)),)
    shorter = [shard for shard in shards if _length(shard) < _expected(shard)]
    if any(shard.actual == 0 for shard in shorter):
        return (EMPTY_FILE.finding(path, f"{_names(shorter)} has no bytes, the index says {_sizes(shorter)}."),)
    if shorter:
        return (TRUNCATED_SHARD.finding(path, f"{_names(shorter)}: {_sizes(shorter)}."),)
    return ()


def _judge_checksum(path: str, facts: Facts) -> tuple[Finding, ...]:
    if facts.mismatch is None:
        return ()
    return (STALE_INDEX.finding(path, f"The checksum of {facts.mismatch} does not hold."),)


def _unreadable(path: str, form: Format, facts: Facts) -> Finding:
    problem = facts.problem
    assert problem is not None
    reason = f"{to_text(problem.file)}: {problem.detail}."
    rule = _OF_KIND.get(problem.kind)
    if rule is None:
        return _UNREADABLE[spec_of(form).unreadable_rule].finding(path, f"{problem.kind}: {reason}")
    return rule.finding(path, f"{problem.kind}: {reason}" if rule is NOT_TOLD else reason)


def _missing(path: str, missing: list[Shard], shards: tuple[Shard, ...], packed: Mapping[str, str]) -> Finding:
    told = " ".join(f"{unpack_told(packed[shard.name], ())}." for shard in missing[:3] if shard.name in packed)
    if all(shard.name in packed for shard in missing):
        return PACKED_FILE.finding(path, f"{_names(missing)} is missing. {told}")
    told = f" {told}" if told else ""
    if all(shard.actual is None for shard in shards):
        whole = "Its data shard is missing" if len(shards) == 1 else f"None of its {len(shards)} data shards is there"
        return ORPHAN_INDEX.finding(path, f"{whole}: {_names(missing)}.{told}")
    verb = "is" if len(missing) == 1 else "are"
    few = f"{len(missing)} of {len(shards)} shards {verb} missing: {_names(missing)}.{told}"
    return MISSING_SHARD.finding(path, few)


def _length(shard: Shard) -> int:
    return shard.actual or 0


def _expected(shard: Shard) -> int:
    return _length(shard) if shard.expected is None else shard.expected


def _names(shards: list[Shard]) -> str:
    shown = ", ".join(to_text(shard.name) for shard in shards[:3])
    return shown if len(shards) <= 3 else f"{shown} and {len(shards) - 3} more"


def _sizes(shards: list[Shard]) -> str:
    return ", ".join(f"{_length(shard):,} bytes instead of {_expected(shard):,}" for shard in shards[:3])
