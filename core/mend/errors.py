"""What can stop a state file from being rewritten."""

from core.base.errors import CoreError
from waypoint_resume.names import to_text


class StateChangedError(CoreError):
    """The state file or a checkpoint is not what it was when the proposal was made; the text says what differs."""


class LiveRunError(CoreError):
    """The run is live, and its name was not typed."""

    def __init__(self, run: str) -> None:
        self.run = run
        super().__init__(
            f"{to_text(run)} is live. A live job's CheckpointManager never reads the state file again: at its next "
            "save it writes its own list back, and deletes by that; what is said of the next save holds for a job "
            "that starts then. Wait until the job has ended, or confirm with the run's name: "
            f"{to_text(run)}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.run,))
