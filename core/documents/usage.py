"""Where the disk went, as JSON: the answer of `usage`. Sizes are bytes."""

from collections.abc import Mapping

from core.disk_usage.usage import Amount, Usage
from waypoint_resume.names import to_text


def usage_document(usage: Usage, root_paths: Mapping[str, str]) -> dict[str, object]:
    """The answer of `usage`; null stands for what has no run, or is no checkpoint. Sizes are bytes."""
    paths = {root: to_text(path) for root, path in root_paths.items()}
    return {
        "apparent_bytes": usage.apparent_bytes,
        "allocated_bytes": usage.allocated_bytes,
        "files": usage.files,
        "by_root": [{"root": paths[key], **_sizes(amount)} for key, amount in usage.by_root],
        "by_run": [
            {"root": paths[root], "run": None if run is None else to_text(run), **_sizes(amount)}
            for (root, run), amount in usage.by_run
        ],
        "by_format": [{"format": key, **_sizes(amount)} for key, amount in usage.by_format],
        "by_contents": [{"contents": key, **_sizes(amount)} for key, amount in usage.by_contents],
        "by_kind": [{"kind": key.value, **_sizes(amount)} for key, amount in usage.by_kind],
        "by_age": [{"age": key.value, **_sizes(amount)} for key, amount in usage.by_age],
        "problems": [
            {"root": paths[root], "path": problem.path, "problem": problem.problem} for root, problem in usage.problems
        ],
    }


def _sizes(amount: Amount) -> dict[str, int]:
    return {"apparent_bytes": amount.apparent, "allocated_bytes": amount.allocated, "files": amount.files}
