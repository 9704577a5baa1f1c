"""What lives as long as the server: one workspace, one indexer, auditor and verifier, made on first need.

Streamlit executes router.py and the pages anew for every rerun; an imported module stays.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.background.auditor import Auditor
from core.background.comparer import CompareJob, Comparer
from core.background.full_home import indexer_of, open_anywhere, write_anywhere
from core.background.indexer import Indexer, IndexerStatus
from core.background.verifier import State as VerifyState
from core.background.verifier import Verifier, VerifyJob
from core.base.records import Checkpoint
from core.services import verifying
from core.services.survey import Survey
from core.services.verifying import Verification
from core.services.workspace import Workspace, load

__all__ = [
    "CompareJob",
    "IndexerStatus",
    "Service",
    "VerifyJob",
    "VerifyState",
    "current",
    "start",
    "stop",
    "workspace",
]

PATIENCE = 3.0  # seconds that a click waits for the disk to be looked at
_TURN = 0.05


@dataclass(slots=True)
class Service:
    """The workspace, the indexer where a server runs one, and what audits, verifies and compares in the background."""

    workspace: Workspace
    indexer: Indexer | None = None
    auditor: Auditor = field(init=False)
    verifier: Verifier = field(init=False)
    comparer: Comparer = field(init=False)

    def __post_init__(self) -> None:
        """Make what works in the background; verifier and comparer start a thread with what is first handed in."""
        self.auditor = Auditor(self.workspace)
        self.verifier = Verifier(self._keep)
        self.comparer = Comparer()

    @property
    def status(self) -> IndexerStatus | None:
        """What the indexer is doing; None without one."""
        return None if self.indexer is None else self.indexer.status

    @property
    def survey(self) -> Survey:
        """What is known of disk space."""
        return self.auditor.survey

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever catalog or survey changed; during the very first pass also while the catalog fills."""
        status = self.status
        if status is None:
            return 0, 0
        return status.version + self.survey.number, status.checkpoints if status.report is None else 0

    def look_now(self) -> None:
        """Look at the disk, and add it up: indexer and auditor as soon as they can, without them at once."""
        self.auditor.want()
        self._look()
        if self.indexer is None:
            self.auditor.look()

    def _look(self) -> None:
        if self.indexer is None:
            self.workspace.refresh()
        else:
            self.indexer.look_now()

    def acted(self, root: str, run: str) -> None:
        """Somebody moved files of a run into quarantine, out of it or away: the next look adds the disk up anew."""
        self.auditor.reread(root, run)
        self.auditor.want()

    def look_and_wait(self, patience: float = PATIENCE) -> bool:
        """Look at the disk and wait until that is done, but no longer than `patience` seconds; whether it was done."""
        asked, until = datetime.now(UTC), time.monotonic() + patience
        self._look()
        while self.indexer is not None and time.monotonic() < until:
            status = self.indexer.status
            if status.started_at is not None and status.started_at > asked and status.phase != "looking":
                return status.phase == "waiting"
            time.sleep(_TURN)
        return self.indexer is None

    def _keep(self, checkpoint: Checkpoint, result: Verification) -> None:
        """Keep a verification; what follows from it is found by looking again."""
        write_anywhere(self.workspace, lambda: verifying.keep_verification(self.workspace, checkpoint, result))
        self._look()


_lock = threading.Lock()
_service: Service | None = None


def current() -> Service:
    """The server's service. CoreError where the settings are wrong or the catalog cannot be opened."""
    global _service  # noqa: PLW0603 - one for the process is the point
    with _lock:
        if _service is None:
            _service = Service(workspace=open_anywhere(load()))
        return _service


def start() -> Service:
    """Start the threads of indexer and auditor; they look at the disk only after this returned."""
    service = current()
    with _lock:
        if service.indexer is None:
            service.auditor.start()
            service.indexer = indexer_of(service.workspace, service.auditor.after_deep)
            service.indexer.start()
    return service


def stop() -> None:
    """Stop what runs in the background and forget the workspace."""
    global _service
    with _lock:
        service, _service = _service, None
    if service is not None:
        service.verifier.close()
        service.comparer.close()
        if service.indexer is not None:
            service.indexer.stop()
        service.auditor.stop()


def workspace() -> Workspace:
    """The one workspace."""
    return current().workspace
