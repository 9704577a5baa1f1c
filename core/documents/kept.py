"""What is kept for manifests, as JSON: the answer of `kept`."""

from pathlib import Path

from core.resume.kept import is_back
from waypoint_resume.kept import Kept
from waypoint_resume.names import to_text


def kept_document(item: Kept, run_folder: Path) -> dict[str, object]:
    """What a job kept of what was handed over to it; `run_folder` is where its original lies."""
    return {
        "manifest": item.manifest,
        "path": to_text(item.path),
        "bytes": item.bytes,
        "kept_at": item.kept_at,
        "original_is_there": item.is_original_there(run_folder),
        "is_back": is_back(item),
    }
