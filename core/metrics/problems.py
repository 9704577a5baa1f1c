"""Problems of one file, collected while it is read: as many as are kept, and then that there were more."""

from __future__ import annotations

from core.base.errors import FormatError
from core.base.names import printable
from core.metrics.limits import MOST_PROBLEMS
from core.metrics.records import MetricProblem, ProblemKind
from waypoint_resume.names import to_text


class Problems:
    """The problems of a file at `path`."""

    def __init__(self, path: str) -> None:
        self._path = to_text(path)
        self._found: list[MetricProblem] = []
        self._left_out = 0

    def add(self, kind: ProblemKind, problem: str, offset: int | None = None) -> None:
        """One more."""
        if len(self._found) < MOST_PROBLEMS:
            self._found.append(MetricProblem(self._path, offset, kind, printable(problem)))
        else:
            self._left_out += 1

    def add_error(self, error: FormatError, start: int = 0) -> None:
        """What a reader of bytes that begin at `start` of the file raised."""
        kind = error.kind if error.kind in tuple(ProblemKind) else ProblemKind.UNREADABLE
        self.add(ProblemKind(kind), str(error), None if error.offset is None else start + error.offset)

    def all(self) -> tuple[MetricProblem, ...]:
        """All that are kept."""
        if not self._left_out:
            return tuple(self._found)
        last = self._found[-1]
        return (*self._found[:-1], last._replace(problem=f"{last.problem} (and {self._left_out:,} more like it)"))
