"""Rules over one checkpoint's own files: is all there, is it whole, does it belong together."""

from collections.abc import Collection, Mapping, Sequence

from core.base.facts import Facts, Format, Shard
from core.base.records import Finding
from core.formats.registry import spec_of
from core.health.rules import finding
from waypoint_resume.names import to_text
from waypoint_resume.packed import unpack_told

# Kinds of problems that have a rule of their own, which says the kind.
_RULES = {
    "empty": "empty-file",
    "lfs-pointer": "lfs-pointer",
    "pattern": "pattern-path",
    "permission": "no-permission",
    "too-large": "not-told",
    "unsupported": "not-told",
    "unexpected": "not-told",
    "hung": "not-told",
    "unrenamed": "unrenamed-save",
    "packed": "packed-file",
    "linked": "not-told",
}


def judge(path: str, form: Format, facts: Facts) -> tuple[Finding, ...]:
    """Findings about one checkpoint's files, worst first. None of them: whole, as far as structure tells."""
    if facts.problem is not None and facts.problem.kind == "pattern":  # said of complete files only: damage goes first
        return judge(path, form, facts._replace(problem=None)) or (_unreadable(path, form, facts),)
    if facts.problem is not None:
        return (_unreadable(path, form, facts),)
    if not facts.committed:
        return (finding("interrupted-save", path, "It has no mark of completion."),)
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
        return (finding("empty-file", path, f"{_names(shorter)} has no bytes, the index says {_sizes(shorter)}."),)
    if shorter:
        return (finding("truncated-shard", path, f"{_names(shorter)}: {_sizes(shorter)}."),)
    return ()


def _judge_checksum(path: str, facts: Facts) -> tuple[Finding, ...]:
    if facts.mismatch is None:
        return ()
    return (finding("stale-index", path, f"The checksum of {facts.mismatch} does not hold."),)


def _unreadable(path: str, form: Format, facts: Facts) -> Finding:
    problem = facts.problem
    assert problem is not None
    reason = f"{to_text(problem.file)}: {problem.detail}."
    rule = _RULES.get(problem.kind)
    if rule == "not-told":
        return finding(rule, path, f"{problem.kind}: {reason}")
    if rule is not None:
        return finding(rule, path, reason)
    return finding(spec_of(form).unreadable_rule, path, f"{problem.kind}: {reason}")


def _missing(path: str, missing: list[Shard], shards: tuple[Shard, ...], packed: Mapping[str, str]) -> Finding:
    told = " ".join(f"{unpack_told(packed[shard.name], ())}." for shard in missing[:3] if shard.name in packed)
    if all(shard.name in packed for shard in missing):
        return finding("packed-file", path, f"{_names(missing)} is missing. {told}")
    told = f" {told}" if told else ""
    if all(shard.actual is None for shard in shards):
        whole = "Its data shard is missing" if len(shards) == 1 else f"None of its {len(shards)} data shards is there"
        return finding("orphan-index", path, f"{whole}: {_names(missing)}.{told}")
    verb = "is" if len(missing) == 1 else "are"
    few = f"{len(missing)} of {len(shards)} shards {verb} missing: {_names(missing)}.{told}"
    return finding("missing-shard", path, few)


def _length(shard: Shard) -> int:
    return shard.actual or 0


def _expected(shard: Shard) -> int:
    return _length(shard) if shard.expected is None else shard.expected


def _names(shards: list[Shard]) -> str:
    shown = ", ".join(to_text(shard.name) for shard in shards[:3])
    return shown if len(shards) <= 3 else f"{shown} and {len(shards) - 3} more"


def _sizes(shards: list[Shard]) -> str:
    return ", ".join(f"{_length(shard):,} bytes instead of {_expected(shard):,}" for shard in shards[:3])
