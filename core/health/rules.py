"""All rules: what each means, why it happens, what to do. Pages, the shell and the docs are made from this table.

A module has its `RULES` beside their conditions.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from core.base.records import Finding
from core.health import aging, files, left, listing, runs, state, verified
from core.health.rule import Rule
from core.health.run_facts import RunFacts


class OfRuns(Protocol):
    """A module of rules over whole runs."""

    @property
    def RULES(self) -> tuple[Rule, ...]:  # noqa: N802 - a module's constant
        """Its rules."""

    def findings(self, facts: RunFacts) -> Iterable[Finding]:
        """What they find in a run."""


class WithTime(Protocol):
    """One of which time alone brings some."""

    def due(self, facts: RunFacts) -> Iterable[datetime]:
        """When, of those that are still ahead."""


OF_RUNS: tuple[OfRuns, ...] = (left, listing, state, runs, aging)
WITH_TIME: tuple[WithTime, ...] = (listing, aging)
_ALL = (*files.RULES, *(rule for module in OF_RUNS for rule in module.RULES), *verified.RULES)
RULES = {rule.id: rule for rule in _ALL}
