"""Retention as waypoint.toml says it: `[[retention]]` tables, each for some runs, into policies. docs/storage.md."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.base.errors import SettingsError
from core.config.values import shorten
from core.retention.policies import Policy, Rule
from core.retention.rules import KEYS, LEFTOVERS, PLACES, POLICY_KEYS, RULES, RuleRow
from core.runs.discover import glob_of

NO_POLICY = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A policy and the runs that it is for: those of one root (its absolute path) or of all, whose path matches a glob
    (as `run_pattern` has them) or all.
    """

    policy: Policy
    root: str | None = None
    runs: str | None = None

    def is_for(self, root_path: str, run: str) -> bool:
        """Whether it governs a run; '.' is the root itself."""
        at = self.root is None or os.path.normpath(self.root) == os.path.normpath(root_path)
        return at and (self.runs is None or glob_of(self.runs).fullmatch(run) is not None)


def policy_for(retention: Sequence[Retention], root_path: str, run: str) -> Policy:
    """The policy of the first table that is for a run; one without rules where none is."""
    return next((one.policy for one in retention if one.is_for(root_path, run)), NO_POLICY)


def parse_retention(value: object) -> tuple[Retention, ...]:
    """The tables of `retention`. SettingsError with one line for each problem: key, value, what is allowed."""
    problems: list[str] = []
    if not isinstance(value, list | tuple):
        problems.append(f"retention = {shorten(value)}: must be tables, each headed [[retention]]")
        value = ()
    found = [_table(f"retention[{number}]", item, problems) for number, item in enumerate(value)]
    if problems:
        raise SettingsError("\n  ".join([f"{_count(problems)} in the retention policies:", *problems]))
    return tuple(found)


def parse_policy(value: Mapping[str, object]) -> Policy:
    """A policy that is tried: the keys of a table but `root` and `runs`. SettingsError as above."""
    problems: list[str] = []
    found = _table("policy", dict(value), problems).policy
    if problems:
        raise SettingsError("\n  ".join([f"{_count(problems)} in the policy:", *problems]))
    return found


def _table(place: str, item: object, problems: list[str]) -> Retention:
    if not isinstance(item, dict):
        problems.append(f"{place} = {shorten(item)}: must be a table, headed [[retention]]")
        return Retention(policy=NO_POLICY)
    read = _Reader(place, item, problems)
    for key in sorted(item.keys() - KEYS.keys(), key=str):
        near = difflib.get_close_matches(str(key), KEYS, n=1)
        read.refuse(key, f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known: {', '.join(KEYS)}")
    if not item.keys() - {key.name for key in PLACES}:
        problems.append(f"{place}: names no rule; allowed: {', '.join(key.name for key in POLICY_KEYS)}")
    return Retention(root=read.root(), runs=read.runs(), policy=read.policy())


@dataclass(frozen=True, slots=True)
class _Reader:
    """One table's values; what is wrong with one goes to the problems, and the reading goes on."""

    place: str
    item: Mapping[str, Any]
    problems: list[str]

    def refuse(self, key: str, reason: str) -> None:
        given = f" = {shorten(self.item[key])}" if key in self.item else ""
        self.problems.append(f"{self.place}.{key}{given}: {reason}")

    def root(self) -> str | None:
        root: str | None = self._values(["root"])["root"]
        if root is not None and not os.path.isabs(root):
            self.refuse("root", "must be the absolute path of a root")
        return root

    def runs(self) -> str | None:
        runs: str | None = self._values(["runs"])["runs"]
        if runs is not None and (runs.startswith("/") or ".." in runs.split("/")):
            self.refuse("runs", "must be a glob of runs relative to the root, without '..'")
        return runs

    def policy(self) -> Policy:
        rules = tuple(rule for row in RULES if (rule := self._rule(row)) is not None)
        hours = self._values([LEFTOVERS.name])[LEFTOVERS.name]
        return Policy(rules=rules, leftovers_after=(hours or 0) * 3600)

    def _rule(self, row: RuleRow) -> Rule | None:
        names = [key.name for key in row.keys]
        given = [name for name in names if name in self.item]
        if not given:
            return None
        before = len(self.problems)
        values = self._values(names)
        for name, reason in row.missing(given):
            self.refuse(name, reason)
        return row.make(*values.values()) if len(self.problems) == before else None

    def _values(self, names: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(names)
        for name in (one for one in found if one in self.item):
            try:
                found[name] = KEYS[name].read(self.item[name])
            except ValueError as error:
                self.refuse(name, str(error))
        return found


def _count(problems: Sequence[str]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
