"""Rules over the result of a verification: every byte was read, and this is what was wrong with some."""

from collections.abc import Sequence
from typing import NamedTuple

from core.base.records import Finding, Severity
from core.formats.object_graph import VALUE_SUFFIX
from core.health.rule import Family, Rule

CHECKSUM_MISMATCH = Rule(
    id="checksum-mismatch",
    family=Family.VERIFICATION,
    severity=Severity.ERROR,
    meaning="Stored values do not match the checksums that were saved with them.",
    why="A damaged disk or copy, or files of two saves mixed.",
    action="Do not restore it. Copy it again, or resume from another checkpoint.",
)
NON_FINITE = Rule(
    id="non-finite",
    family=Family.VERIFICATION,
    severity=Severity.ERROR,
    meaning="Weights or optimizer state hold NaN or infinite values.",
    why="Training diverged before it was saved.",
    action="Do not resume from it: take an earlier checkpoint, with a lower learning rate or clipped gradients.",
)
INFINITE = Rule(
    id="infinite",
    family=Family.VERIFICATION,
    severity=Severity.WARNING,
    meaning="A weight that nothing shows to be trained holds infinite values among others.",
    why="A mask, where that is meant; else training diverged before it was saved.",
    action="Nothing for a mask: accept it. Else resume from an earlier checkpoint.",
)
RULES = (
    CHECKSUM_MISMATCH,
    NON_FINITE,
    INFINITE,
)

_SHOWN = 3
_NUMBERS = ((NON_FINITE, "NaN or infinite"), (INFINITE, "Infinite"))


class BadTensor(NamedTuple):
    """A stored tensor that did not pass: which rule, its name, and for numbers how many are NaN or infinite."""

    rule: str
    name: str
    values: int = 0


class Verified(NamedTuple):
    """A verification as its findings need it; `identity` names the files that it was made for, `more` counts bad
    tensors beyond those that are listed.
    """

    identity: str
    bad: tuple[BadTensor, ...] = ()
    more: int = 0


def judge_verified(path: str, result: Verified) -> tuple[Finding, ...]:
    """At most one finding of each rule."""
    mismatches = [item for item in result.bad if item.rule == CHECKSUM_MISMATCH.id]
    found = []
    if mismatches:
        names = [_plain(item.name) for item in mismatches]
        what = "checksum of" if len(names) + result.more == 1 else "checksums of"
        verb = "does" if len(names) + result.more == 1 else "do"
        reason = f"The {what} {_listed(names, result.more)} {verb} not hold."
        found.append(CHECKSUM_MISMATCH.finding(path, reason))
    more = 0 if mismatches else result.more
    for rule, word in _NUMBERS:
        names = [f"{_plain(item.name)} ({_values(item.values)})" for item in result.bad if item.rule == rule.id]
        if names:
            found.append(rule.finding(path, f"{word}: {_listed(names, more)}."))
            more = 0
    return tuple(found)


def _plain(name: str) -> str:
    """A tensor's name without the ending that TensorFlow gives every variable's value."""
    return name.removesuffix(VALUE_SUFFIX)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"


def _listed(names: Sequence[str], more: int) -> str:
    rest = len(names) - _SHOWN + more
    shown = ", ".join(names[:_SHOWN])
    return shown if rest <= 0 else f"{shown} and {rest:,} more"
