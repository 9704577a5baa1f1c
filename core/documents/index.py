"""A look at the roots as JSON: the answer of `index`."""

from collections.abc import Iterable

from core.base.records import IndexReport
from core.services.passed_over import PassedOver
from waypoint_resume.names import to_text


def index_document(report: IndexReport, passed: Iterable[PassedOver] = ()) -> dict[str, object]:
    """The answer of `index`."""
    return {
        "roots": [{"root": to_text(root.path), "problem": root.problem} for root in report.roots],
        "runs": report.runs,
        "checkpoints": report.checkpoints,
        "parsed": report.parsed,
        "reused": report.reused,
        "rejudged": report.rejudged,
        "reread": report.reread,
        "waiting": report.waiting,
        "metric_files": report.metric_files,
        "metric_files_waiting": report.metric_files_waiting,
        "problems": [
            {"root": to_text(root), "path": problem.path, "problem": problem.problem}
            for root, problem in report.problems
        ],
        "passed_over": [_passed_document(item) for item in passed],
    }


def _passed_document(item: PassedOver) -> dict[str, object]:
    return {
        "root": to_text(item.root.path),
        "links": [{"path": to_text(link.name), "target": to_text(link.target)} for link in item.links],
        "folders": [{"path": to_text(folder.path), "kinds": dict(folder.kinds)} for folder in item.folders],
    }
