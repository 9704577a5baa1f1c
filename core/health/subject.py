"""What a finding is about: the files whose change brings an accepted finding back and makes a verification void."""

from collections.abc import Iterable, Sequence

from core.base.files import FileStat
from core.base.records import Checkpoint, Finding, Leftover, StateFile
from waypoint_resume.names import short_id


def identity(files: Iterable[FileStat]) -> str:
    """Names files in their present state. 12 hexadecimal digits."""
    return short_id(*sorted(":".join(map(str, file.identity)) for file in files))


class Subjects:
    """The things of one run that findings are about."""

    def __init__(
        self, members: Sequence[Checkpoint], leftovers: Iterable[Leftover], states: Iterable[StateFile]
    ) -> None:
        self._members = members
        self._files = {item.path: item.files for item in leftovers} | {item.path: item.files for item in members}
        self._times = {state.path: state.mtime_ns for state in states}

    def identity(self, finding: Finding) -> str:
        """What it says, and the state of what it is about: a checkpoint's or leftover's files, a state file, else the
        whole run.
        """
        return short_id(finding.reason, self._state(finding.path))

    def _state(self, path: str) -> str:
        files = self._files.get(path)
        if files is not None:
            return identity(files)
        if path in self._times:
            return str(self._times[path])
        return short_id(*sorted(f"{item.path}:{identity(item.files)}" for item in self._members))
