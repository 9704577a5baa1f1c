"""What jobs had logged when they saved each checkpoint of a run, as their side kept it beside the checkpoints."""

from collections.abc import Iterable, Mapping

from core.base.records import Checkpoint
from core.runfolder.places import relative_to_run
from core.runfolder.run_folder import RunFolder
from waypoint_resume.kept_logs import kept_logs
from waypoint_resume.names import join, to_text


def recorded_logs(run_folder: RunFolder, members: Iterable[Checkpoint]) -> dict[str, Mapping[str, float]]:
    """The logs of those checkpoints of a run that have some, by path: told by their files' names, sizes and times."""
    by_file = {
        key: logs for home in run_folder.homes for keys, logs in kept_logs(run_folder.folder, home) for key in keys
    }
    found: dict[str, Mapping[str, float]] = {}
    for item in members if by_file else ():
        for file in item.files:
            path = to_text(relative_to_run(join(item.folder, file.name), item.run))
            if (logs := by_file.get((path, file.size, file.mtime_ns))) is not None:
                found[item.path] = logs
                break
    return found
