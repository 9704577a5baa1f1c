"""What the reading of one folder asks for and gives: picklable, for the work may be another process's."""

from dataclasses import dataclass, field

from core.base.files import Held, Listing, Problem
from core.base.records import Checkpoint, Leftover, StateFile
from core.indexing.held import NOTHING_HELD
from core.indexing.reread import ReadBefore
from core.runs.group import Groups
from core.sweeps.records import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTask:
    """What the work needs: the root's id, the run, a listing, what is known of the folder, the time, the grace (ns),
    and which readers read it before. `groups` are those that the walk made of the listing; None where it made none.
    """

    root: str
    run: str
    listing: Listing
    known: tuple[Checkpoint, ...]
    now_ns: int
    grace_ns: int
    before: ReadBefore = field(default_factory=ReadBefore)
    groups: Groups | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderResult:
    """What the work found. `recheck`: something was being written, look again next time though nothing changed.
    `reread` of the `parsed` were known from an older reader; `read_by` are the readers of all, divided by blanks.
    """

    listing: Listing
    signature: str
    checkpoints: tuple[Checkpoint, ...]
    states: tuple[StateFile, ...]
    leftovers: tuple[Leftover, ...]
    problems: tuple[Problem, ...]
    parsed: int
    reused: int
    recheck: bool
    trial: Trial | None = None
    held: Held = NOTHING_HELD
    reread: int = 0
    read_by: str = ""
