"""Retention as waypoint.toml says it: `[[retention]]` tables, each for some runs, into policies. docs/storage.md."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.base.errors import SettingsError
from core.config.values import shorten
from core.resume.manifest import MetricMode
from core.retention.best_trials import KeepBestTrials
from core.retention.policies import (
    EveryHours,
    EverySteps,
    KeepBest,
    KeepLatest,
    NewerThan,
    Pinned,
    Policy,
    Rule,
)
from core.runs.discover import glob_of

_MOST = 10**15  # a count or a number of steps
_MOST_HOURS = 24 * 365 * 100
_PLACES = ("root", "runs")
_BEST = ("best", "metric", "mode")
_TRIALS = ("best_trials", "trials_metric", "trials_mode")
KEYS = (
    *_PLACES,
    "latest",
    *_BEST,
    "every_steps",
    "every_hours",
    "newer_days",
    *_TRIALS,
    "pinned",
    "leftovers_hours",
)
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
    for key in sorted(item.keys() - set(KEYS), key=str):
        near = difflib.get_close_matches(str(key), KEYS, n=1)
        read.refuse(key, f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known: {', '.join(KEYS)}")
    if not item.keys() - set(_PLACES):
        problems.append(f"{place}: names no rule; allowed: {', '.join(KEYS[2:])}")
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
        root = self._text("root")
        if root is not None and not os.path.isabs(root):
            self.refuse("root", "must be the absolute path of a root")
        return root

    def runs(self) -> str | None:
        runs = self._text("runs")
        if runs is not None and (runs.startswith("/") or ".." in runs.split("/")):
            self.refuse("runs", "must be a glob of runs relative to the root, without '..'")
        return runs

    def policy(self) -> Policy:
        rules: list[Rule | None] = [
            KeepLatest(count) if (count := self._whole("latest")) else None,
            self._best(),
            EverySteps(steps) if (steps := self._whole("every_steps")) else None,
            EveryHours(hours) if (hours := self._number("every_hours", _MOST_HOURS)) else None,
            NewerThan(days) if (days := self._number("newer_days", _MOST_HOURS / 24)) else None,
            self._best_trials(),
            Pinned() if self._pinned() else None,
        ]
        after = (self._number("leftovers_hours", _MOST_HOURS) or 0) * 3600
        return Policy(rules=tuple(rule for rule in rules if rule is not None), leftovers_after=after)

    def _best(self) -> Rule | None:
        count, metric, mode = self._whole("best"), self._text("metric"), self._text("mode")
        given = [key for key in _BEST if key in self.item]
        for key in _BEST if given else ():
            if key not in self.item:
                self.refuse(key, f"is missing: {', '.join(_BEST)} belong together")
        if mode is not None and mode not in tuple(MetricMode):
            self.refuse("mode", "must be min or max: which values are better")
        elif count and metric and mode:
            return KeepBest(count, metric.lower(), MetricMode(mode))
        return None

    def _best_trials(self) -> Rule | None:
        count, metric, mode = self._whole("best_trials"), self._text("trials_metric"), self._text("trials_mode")
        for key in _TRIALS[1:]:
            if key in self.item and "best_trials" not in self.item:
                self.refuse(key, "stands in for what a sweep's files do not tell: best_trials is missing")
        if metric is not None and mode is None and "trials_mode" not in self.item:
            self.refuse("trials_mode", "is missing: which values of trials_metric are better")
        if mode is not None and mode not in tuple(MetricMode):
            self.refuse("trials_mode", "must be min or max: which scores are better")
        elif count:
            return KeepBestTrials(count, metric, None if mode is None else MetricMode(mode))
        return None

    def _pinned(self) -> bool:
        value = self.item.get("pinned", False)
        if value is not True and "pinned" in self.item:
            self.refuse("pinned", "must be true, or left out: pinned ones always stay")
        return value is True

    def _text(self, key: str) -> str | None:
        value = self.item.get(key)
        if key in self.item and (not isinstance(value, str) or not value.strip() or "\0" in value):
            self.refuse(key, "must be a text that is not empty")
            return None
        return value

    def _whole(self, key: str) -> int | None:
        value = self.item.get(key)
        if key in self.item and (type(value) is not int or not 1 <= value <= _MOST):
            self.refuse(key, "must be a whole number, 1 or more")
            return None
        return value

    def _number(self, key: str, most: float) -> float | None:
        if key not in self.item:
            return None
        value = self.item[key]
        if type(value) not in (int, float) or not 0 < value <= most:
            self.refuse(key, f"must be a number greater than 0, at most {most:,.0f}")
            return None
        return float(value)


def _count(problems: Sequence[str]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
