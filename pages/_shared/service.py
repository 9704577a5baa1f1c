"""What lives as long as the server: one workspace and one indexer, made on first need.

Streamlit executes router.py and the pages anew for every rerun; an imported module stays.
"""

import threading
from dataclasses import dataclass

from core.index.indexer import Indexer, IndexerStatus
from core.settings import load
from core.workspace import Workspace


@dataclass(slots=True)
class Service:
    """The workspace, and the indexer where a server runs one."""

    workspace: Workspace
    indexer: Indexer | None = None

    @property
    def status(self) -> IndexerStatus | None:
        """What the indexer is doing; None without one."""
        return None if self.indexer is None else self.indexer.status

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever the catalog changed; during the very first pass also while it fills."""
        status = self.status
        if status is None:
            return 0, 0
        return status.version, status.checkpoints if status.report is None else 0

    def look_now(self) -> None:
        """Look at the disk: the indexer as soon as it can, without one at once."""
        if self.indexer is None:
            self.workspace.refresh()
        else:
            self.indexer.look_now()


_lock = threading.Lock()
_service: Service | None = None


def current() -> Service:
    """The server's service. CoreError where the settings are wrong or the catalog cannot be opened."""
    global _service  # noqa: PLW0603 - one for the process is the point
    with _lock:
        if _service is None:
            _service = Service(workspace=Workspace.open(load()))
        return _service


def start() -> Service:
    """Start the indexer's thread; it looks at the disk only after this returned."""
    service = current()
    with _lock:
        if service.indexer is None:
            service.indexer = service.workspace.indexer()
            service.indexer.start()
    return service


def stop() -> None:
    """Stop the indexer and forget the workspace."""
    global _service
    with _lock:
        service, _service = _service, None
    if service is not None and service.indexer is not None:
        service.indexer.stop()


def workspace() -> Workspace:
    """The one workspace."""
    return current().workspace
