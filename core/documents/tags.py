"""What people say of a run as JSON: the answer of `tag`."""

from dataclasses import asdict

from core.base.records import Run
from core.runfolder.tags import RunTags
from waypoint_resume.names import to_text


def tags_document(run: Run, root_path: str, said: RunTags) -> dict[str, object]:
    """What is said of a run; `by` and `at` are of the last change, '' where there was none."""
    return {"root": to_text(root_path), "run": to_text(run.path), **asdict(said), "tags": list(said.tags)}
