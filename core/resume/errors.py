"""What can go wrong when a manifest is read, written or withdrawn."""

from collections.abc import Sequence

from core.base.errors import CoreError
from core.base.files import Problem


class ManifestError(CoreError, ValueError):
    """A text is no manifest that this Waypoint reads; `problems` holds every one, each with its JSON path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"in {problem.path!r}: {problem.problem}" if problem.path else problem.problem for problem in problems]
        count = f"{len(lines)} problems" if len(lines) != 1 else "1 problem"
        super().__init__("\n  ".join([f"{count} in the manifest:", *lines]))

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.problems,))


class NotAcceptedError(CoreError):
    """A warning of the proposal was not accepted; the text holds each of them."""


class ChangedError(CoreError):
    """Files of the checkpoint are not what was indexed; the text names each and says what differs."""


class StateError(CoreError):
    """A manifest is not in the state that an action needs."""


class ModeError(CoreError):
    """A mode that is not possible for a checkpoint; the text says why, and what else is."""


class ConfirmError(CoreError):
    """A rewind of a live run needs the run's name, and got something else."""


class NameTakenError(CoreError):
    """A new run's folder is there already."""


class RunNameError(CoreError, ValueError):
    """A text cannot be the name of a run's folder."""


class NoRoomError(CoreError):
    """The disk has no room for a copy."""
