"""Findings as JSON: the answer of `health`."""

from core.catalog.answers import PlacedFinding
from waypoint_resume.names import to_text


def finding_document(item: PlacedFinding, root_path: str) -> dict[str, object]:
    """One finding, with its run and root."""
    found = item.finding
    return {
        "root": to_text(root_path),
        "run": to_text(item.run),
        "path": to_text(found.path),
        "rule": found.rule,
        "severity": found.severity.value,
        "reason": found.reason,
        "action": found.action,
    }
