"""The metric by which runs are best as waypoint.toml says it: `[metric]`, and `[metric.project.NAME]` for those of one
project. docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.base.direction import Direction
from core.base.errors import SettingsError
from core.config.values import shorten
from core.metrics.direction import guess

_KEYS = ("name", "mode")
_PROJECT = "project"


@dataclass(frozen=True, slots=True)
class NamedMetric:
    """A metric, and which of its values are better."""

    name: str
    mode: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectMetrics:
    """The metric of each project that has its own, and that of all others; None: it is guessed."""

    of_all: NamedMetric | None = None
    by_project: Mapping[str, NamedMetric] = field(default_factory=dict)

    def of(self, project: str | None) -> NamedMetric | None:
        """That of a project; None for a run of none."""
        return self.by_project.get(project or "", self.of_all)

    @property
    def text(self) -> str:
        """The same text for the same settings."""
        return repr((self.of_all, sorted(self.by_project.items())))


def parse_project_metrics(value: Mapping[str, object]) -> ProjectMetrics:
    """The table `metric`. SettingsError with one line for each problem: key, value, what is allowed."""
    problems: list[str] = []
    of_all = _metric("metric", {key: one for key, one in value.items() if key != _PROJECT}, problems)
    projects = value.get(_PROJECT, {})
    if not isinstance(projects, dict):
        problems.append(f"metric.project = {shorten(projects)}: must be tables, each headed [metric.project.NAME]")
        projects = {}
    found = {str(name): _metric(f"metric.project.{name}", table, problems) for name, table in projects.items()}
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise SettingsError("\n  ".join([f"{count} in the metrics:", *problems]))
    return ProjectMetrics(of_all=of_all, by_project={name: one for name, one in found.items() if one is not None})


def _metric(place: str, table: object, problems: list[str]) -> NamedMetric | None:
    if not isinstance(table, dict):
        problems.append(f"{place} = {shorten(table)}: must be a table with name and mode")
        return None
    if not table:
        return None
    unknown = [key for key in table if key not in _KEYS]
    problems += [f"{place}.{key}: unknown key; known: {', '.join((*_KEYS, _PROJECT))}" for key in unknown]
    name, mode = table.get("name"), table.get("mode")
    if not isinstance(name, str) or not name.strip():
        problems.append(f"{place}.name = {shorten(name)}: must be the name of a metric")
        return None
    if mode is None:
        mode = guess(name)
    if mode not in tuple(Direction):
        problems.append(f"{place}.mode = {shorten(mode)}: must be min or max; {name} does not tell which is better")
        return None
    return NamedMetric(name, Direction(mode))
