"""Rules after which a checkpoint may well be whole: it is passed over with the reason, but never taken for damaged."""

from collections.abc import Iterable

from core.base.records import Finding
from core.health import files, left

UNJUDGED = frozenset(rule.id for rule in (*files.RULES, *left.RULES) if not rule.is_damage)


def is_unjudged(found: Iterable[Finding]) -> bool:
    """Whether what stands against a checkpoint is not damage."""
    return not UNJUDGED.isdisjoint(one.rule for one in found)
