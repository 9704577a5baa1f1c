r"""Where the disk went: a walk that meets every file below the roots and books it under what the catalog knows of it.

The walk sees what `du` sees: also `.git`, `.waypoint` and other file systems that are mounted below a root. Links are
not followed. Two sizes are kept. *Allocated* is what `du -s -B1` tells: the blocks of files, links and folders.
*Apparent* is the length of regular files, as `find -type f -printf '%s\n'` tells it. In both a file of several names
counts once, where the walk meets it first, also across the roots of one audit.
"""

import os
import stat as modes
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.acts.journal import FOLDERS
from core.base.files import Problem
from core.disk_usage.known_files import NO_SHARE, Account, Kind, Known
from core.disk_usage.usage import AGES, DAYS, Amount, Line, Usage, summed
from core.stores.local import BLOCK
from core.stores.store import Everything
from waypoint_resume.kept import KEPT
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN

_EVENTS = ".tfevents."
_DAY = 86_400  # seconds
_WIDTH = len(AGES)
_FILE, _SUBFOLDER = modes.S_IFREG, modes.S_IFDIR
_TYPE = 0o170000  # the bits of st_mode that tell a folder from a file


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRoot:
    """A root to look at: its id, its store, and what the catalog knows of it."""

    id: str
    store: Everything
    known: Known


class _Folder(NamedTuple):
    """A folder to look into: its path, its run (None outside every run), and under what its files are booked that
    belong to nothing known.
    """

    path: str
    run: str | None
    kind: Kind = Kind.OTHER


def audit(roots: Sequence[AuditRoot], now_ns: int) -> Usage:
    """Walk the roots in their order and book every file. What cannot be read is a problem, with its root's id."""
    seen: set[tuple[int, int]] = set()
    lines: list[Line] = []
    problems: list[tuple[str, Problem]] = []
    quarantines: list[tuple[str, str]] = []
    for root in roots:
        walk = _Walk(root, now_ns, seen)
        walk.run()
        lines += walk.booked()
        problems += ((root.id, problem) for problem in walk.problems)
        quarantines += ((root.id, path) for path in walk.quarantines)
    return summed([root.id for root in roots], lines, problems, quarantines)


@dataclass(slots=True)
class _Walk:
    """One root's walk. The sums are lists with a cell for each account and age: a file makes no object of its own."""

    root: AuditRoot
    now_ns: int
    seen: set[tuple[int, int]]
    numbers: dict[Account, int] = field(default_factory=dict)
    apparent: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    below: list[_Folder] = field(default_factory=list)
    quarantines: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Walk from the root down."""
        for account in self.root.known.accounts:
            self._cell(account)
        bounds = [self.now_ns // 1_000_000_000 - days * _DAY for days in reversed(DAYS)]
        try:
            top = self.root.store.root_stat()
        except OSError as error:
            return self._failed("", error)
        self._enter(_Folder("", "." if "." in self.root.known.runs else None), top, bounds)
        while self.below:
            self._look(self.below.pop(), bounds)
        return None

    def _look(self, folder: _Folder, bounds: list[int]) -> None:
        try:
            found = self.root.store.entries(folder.path)
        except OSError as error:
            return self._failed(folder.path, error)
        self.problems += found.problems
        number = self.root.known.places.get(folder.path, {}).get
        other = self._cell(Account(folder.run, folder.kind))
        apparent, blocks, files, seen = self.apparent, self.blocks, self.files, self.seen
        for name, facts in zip(found.names, found.stats, strict=True):
            # By number, which is faster: st_mode, st_ino, st_dev, st_nlink, …, st_size, …, st_mtime.
            kind = facts[0] & _TYPE
            if kind == _SUBFOLDER:
                self._enter(self._inner(folder, name), facts, bounds)
                continue
            if facts[3] > 1:
                if (facts[2], facts[1]) in seen:
                    continue
                seen.add((facts[2], facts[1]))
            account = number(name)
            if account is not None:
                cell = account * _WIDTH
            elif _EVENTS in name and folder.kind is Kind.OTHER:
                cell = self._cell(Account(folder.run, Kind.EVENTS))
            else:
                cell = other
            cell += bisect_right(bounds, facts[8])
            blocks[cell] += facts.st_blocks
            if kind == _FILE:
                apparent[cell] += facts[6]
                files[cell] += 1
        return None

    def _enter(self, folder: _Folder, facts: os.stat_result, bounds: list[int]) -> None:
        """Book a folder's own blocks and walk it later; one that lies in two roots only once."""
        if (facts[2], facts[1]) not in self.seen:
            self.seen.add((facts[2], facts[1]))
            cell = self._cell(Account(folder.run, Kind.FOLDERS)) + bisect_right(bounds, facts[8])
            self.blocks[cell] += facts.st_blocks
            self.below.append(folder)

    def _inner(self, folder: _Folder, name: str) -> _Folder:
        path = join(folder.path, name)
        kind = folder.kind
        if kind is Kind.OTHER and name == HIDDEN:
            kind = Kind.RESUMING
        elif kind is Kind.RESUMING and folder.path.rpartition("/")[2] == HIDDEN:
            kind = Kind.KEPT if name == KEPT else Kind.QUARANTINE if name in FOLDERS else kind
        if kind is Kind.QUARANTINE and folder.kind is not kind:
            holder = folder.path.removesuffix(HIDDEN).rstrip("/") or "."
            if self.quarantines[-1:] != [holder]:  # it may have both folders
                self.quarantines.append(holder)
        run = path if path in self.root.known.runs else folder.run
        return _Folder(path, run, kind)

    def _cell(self, account: Account) -> int:
        """The first cell of an account, which is made if it is new."""
        number = self.numbers.get(account)
        if number is None:
            number = self.numbers[account] = len(self.numbers)
            for sums in (self.apparent, self.blocks, self.files):
                sums.extend([0] * _WIDTH)
        return number * _WIDTH

    def _failed(self, path: str, error: OSError) -> None:
        self.problems.append(Problem(path=to_text(path), problem=error.strerror or str(error)))

    def booked(self) -> Iterator[Line]:
        """What was met, by account and age."""
        shares = self.root.known.shares
        for account, number in self.numbers.items():
            share = shares[number] if number < len(shares) else NO_SHARE
            for place, age in enumerate(AGES, number * _WIDTH):
                if self.blocks[place] or self.files[place]:
                    amount = Amount(self.apparent[place], self.blocks[place] * BLOCK, self.files[place])
                    yield Line(self.root.id, account, share, age, amount)
