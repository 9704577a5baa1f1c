"""Growth between scans: what an audit leaves behind for later ones to be compared with. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core.disk_usage.usage import Usage


class Snapshot(NamedTuple):
    """The bytes of one run at one moment; `run` is None for what lies outside every run of its root."""

    at: datetime
    root: str
    run: str | None
    apparent: int
    allocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """By how many bytes something grew (or shrank, below 0) between two moments; `run` None: as in Snapshot, or, in
    `Growths.by_root`, the whole root.
    """

    root: str
    run: str | None
    since: datetime
    until: datetime
    apparent: int
    allocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growths:
    """What grew, the most first."""

    by_root: tuple[Growth, ...]
    by_run: tuple[Growth, ...]


def snapshots(usage: Usage, at: datetime) -> tuple[Snapshot, ...]:
    """The rows to keep of an audit. A root that could not be looked into leaves none: its bytes are not known."""
    unknown = {root for root, problem in usage.problems if not problem.path}
    return tuple(
        Snapshot(at, root, run, amount.apparent, amount.allocated)
        for (root, run), amount in usage.by_run
        if root not in unknown
    )


def growth(old: Iterable[Snapshot], new: Iterable[Snapshot]) -> Growths:
    """What grew between two audits. A run that is only in one of them came or went; a root that is only in one was not
    looked at in the other, so that nothing is said of it.
    """
    before = {(row.root, row.run): row for row in old}
    after = {(row.root, row.run): row for row in new}
    since = {row.root: row.at for row in before.values()}
    until = {row.root: row.at for row in after.values()}
    runs: list[Growth] = []
    for root, run in before.keys() | after.keys():
        if root in since and root in until:
            was, now = before.get((root, run)), after.get((root, run))
            runs.append(
                Growth(
                    root=root,
                    run=run,
                    since=since[root],
                    until=until[root],
                    apparent=(now.apparent if now else 0) - (was.apparent if was else 0),
                    allocated=(now.allocated if now else 0) - (was.allocated if was else 0),
                )
            )
    roots = [_whole(root, [one for one in runs if one.root == root]) for root in since.keys() & until.keys()]
    return Growths(by_root=tuple(sorted(roots, key=_order)), by_run=tuple(sorted(runs, key=_order)))


def _whole(root: str, runs: list[Growth]) -> Growth:
    return Growth(
        root=root,
        run=None,
        since=runs[0].since,
        until=runs[0].until,
        apparent=sum(one.apparent for one in runs),
        allocated=sum(one.allocated for one in runs),
    )


def _order(one: Growth) -> tuple[int, str, str]:
    return (-one.allocated, one.root, one.run or "")
