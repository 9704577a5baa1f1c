"""What a rule is. Each stands beside the condition that finds it; `core.health.rules` has them all."""

from dataclasses import dataclass
from enum import StrEnum

from core.base.records import Finding, Severity


class Family(StrEnum):
    """What a rule looks at; the headings of docs/health.md."""

    FILES = "Index, shards and files"
    STATE = "State files"
    RUN = "Whole runs"
    VERIFICATION = "After verification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `meaning` and `action` are single sentences for people; `why` names the usual causes. After one that is
    no damage a checkpoint may well be whole: it is passed over with the reason, but never taken for damaged.
    """

    id: str
    family: Family
    severity: Severity
    meaning: str
    why: str
    action: str
    is_damage: bool = True

    def finding(self, path: str, reason: str) -> Finding:
        """What it says of a place. The reason may quote a damaged file, so that it is made printable here."""
        shown = reason.encode("utf-8", "backslashreplace").decode()
        return Finding(path=path, rule=self.id, severity=self.severity, reason=shown, action=self.action)
