"""The list of a run's checkpoints, with the value of the run's main metric at each."""

from datetime import datetime

from core.base.records import Root, Run
from core.services.checkpoints import CHECKPOINT_SORTS, CheckpointFilter
from core.services.metrics import AtCheckpoints
from pages.parts.checkpoint import pinning
from pages.parts.frame import frame, service
from pages.parts.metrics import main_metric
from pages.parts.tables import lists, tables


def draw(root: Root, run: Run, known: AtCheckpoints | None, now: datetime) -> None:
    """Every checkpoint of the run, sorted and paged by the catalog."""
    with frame.section("Checkpoints", note="Click a name to open it, a column's head to sort by it."):
        where = CheckpointFilter(root=root.id, run=run.path)
        sort = tables.Sort.asked(CHECKPOINT_SORTS, tables.Sort(by="saved_at"))
        offset = tables.pages(run.checkpoints)
        page = service.workspace().reader.checkpoints(
            where, sort=sort.by, descending=sort.descending, limit=tables.PAGE_ROWS, offset=offset
        )
        pinned = pinning.pinned(page.items)
        values = main_metric.columns(page.items, main_metric.Known.of(root.id, known))
        lists.checkpoints(
            page.items, now, key="run-checkpoints", sort=sort, with_run=False, pinned=pinned, metric=values
        )
