"""What an audit found: bytes by root, run, format, contents, age and kind. Pure sums."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from core.base.facts import Contents, Format
from core.base.files import Problem
from core.disk_usage.known_files import Account, Kind, Share

K = TypeVar("K")


class Age(StrEnum):
    """How long ago a file was written, by its mtime."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    OLDER = "older"


DAYS = (1, 7, 30, 90, 365)  # the upper bounds of all ages but the last
AGES = tuple(reversed(Age))  # as bisect counts: the oldest first


class Amount(NamedTuple):
    """Bytes and regular files; a file of several names is one."""

    apparent: int = 0
    allocated: int = 0
    files: int = 0


class Line(NamedTuple):
    """What was booked under one account and age."""

    root: str
    account: Account
    share: Share
    age: Age
    amount: Amount


class Entry(NamedTuple, Generic[K]):
    """One line of a table."""

    key: K
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """An audit. The lines of each table add up to the totals, the largest allocated first; None stands for what has no
    run, or is no checkpoint. A checkpoint's files are counted under the kind that has most of its bytes. `quarantines`
    are the folders (root's id, path) in which batches lie, also those that are no run any more.
    """

    apparent_bytes: int
    allocated_bytes: int
    files: int
    by_root: tuple[Entry[str], ...]
    by_run: tuple[Entry[tuple[str, str | None]], ...]
    by_format: tuple[Entry[Format | None], ...]
    by_contents: tuple[Entry[Contents | None], ...]
    by_kind: tuple[Entry[Kind], ...]
    by_age: tuple[Entry[Age], ...]
    problems: tuple[tuple[str, Problem], ...] = ()
    quarantines: tuple[tuple[str, str], ...] = ()


def summed(
    roots: Sequence[str],
    lines: Sequence[Line],
    problems: Iterable[tuple[str, Problem]] = (),
    quarantines: Iterable[tuple[str, str]] = (),
) -> Usage:
    """The tables of an audit; `roots` are the ids of all roots, also of those in which nothing was met."""
    whole = _table((None, line.amount) for line in lines)
    total = whole[0].amount if whole else Amount()
    return Usage(
        apparent_bytes=total.apparent,
        allocated_bytes=total.allocated,
        files=total.files,
        by_root=_table([*((root, Amount()) for root in roots), *((line.root, line.amount) for line in lines)]),
        by_run=_table(((line.root, line.account.run), line.amount) for line in lines),
        by_format=_table((line.account.format, line.amount) for line in lines),
        by_contents=_table((line.account.contents, line.amount) for line in lines),
        by_kind=_table(part for line in lines for part in _kinds(line)),
        by_age=_table((line.age, line.amount) for line in lines),
        problems=tuple(problems),
        quarantines=tuple(sorted(quarantines)),
    )


def _kinds(line: Line) -> list[tuple[Kind, Amount]]:
    """A line's bytes by kind. Variables take what the formats say that they take; the blocks are shared out in the
    same proportion, and what is left over is the checkpoints' rest.
    """
    share, amount = line.share, line.amount
    if line.account.kind is not None:
        return [(line.account.kind, amount)]
    parts = {
        kind: (amount.apparent * size // share.whole, amount.allocated * size // share.whole)
        for kind, size in ((Kind.WEIGHTS, share.weights), (Kind.OPTIMIZER, share.optimizer))
        if size
    }
    parts[Kind.CHECKPOINT_REST] = (
        amount.apparent - sum(apparent for apparent, _ in parts.values()),
        amount.allocated - sum(allocated for _, allocated in parts.values()),
    )
    most = max(parts, key=lambda kind: parts[kind])
    return [(kind, Amount(*sizes, amount.files if kind is most else 0)) for kind, sizes in parts.items()]


def _table(lines: Iterable[tuple[K, Amount]]) -> tuple[Entry[K], ...]:
    """Lines of equal keys summed, the largest allocated first."""
    sums: dict[K, list[int]] = {}
    for key, amount in lines:
        one = sums.setdefault(key, [0, 0, 0])
        one[0] += amount.apparent
        one[1] += amount.allocated
        one[2] += amount.files
    entries = [Entry(key, Amount(*one)) for key, one in sums.items()]
    return tuple(sorted(entries, key=lambda entry: (-entry.amount.allocated, str(entry.key))))
