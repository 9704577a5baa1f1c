"""The tables of runs, checkpoints, variables and files: which columns they have."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from core.base.facts import Format, Variable
from core.base.files import FileStat
from core.base.records import Checkpoint, Run
from core.base.sizes import FILE_SIZE, ON_DISK
from core.services.checkpoints import CHECKPOINT_SORTS
from core.services.runs import RUN_SORTS
from core.services.sweeps import TrialResult
from pages.parts.frame import disk, links
from pages.parts.frame import format as fmt
from pages.parts.frame.text import shorten, shown
from pages.parts.tables.tables import LETTER, Column, Sort, show

TF_ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"


def runs(
    records: Sequence[Run],
    now: datetime,
    *,
    sort: Sort,
    trials: Mapping[tuple[str, str], TrialResult],
    chosen: Sequence[Column[Run]] = (),
) -> list[Run]:
    """The table of runs, with the columns that were `chosen` before its own; returns the runs that are selected.
    `trials` tells how those did that are trials of sweeps, if any is.
    """
    trial = Column[Run](
        head="trial",
        cell=lambda run: shown(trials[run.root, run.path].text) if (run.root, run.path) in trials else fmt.NONE,
        help="Of a sweep's trial: its score and its rank among the completed ones.",
    )
    columns = (
        Column[Run](head="run", cell=lambda run: shorten(shown(links.run_name(run.path))), sort="path", name=True),
        Column[Run](
            head="status",
            cell=lambda run: [run.status, *(["deleted"] if run.is_deleted else [])],
            colors=fmt.color,
            help=fmt.STATUS,
        ),
        *((trial,) if trials else ()),
        *chosen,
        Column[Run](head="newest step", cell=lambda run: fmt.number(run.newest_step), sort="newest_step", right=True),
        Column[Run](head="last saved", cell=lambda run: fmt.ago(run.last_saved, now), sort="last_saved"),
        Column[Run](head="checkpoints", cell=lambda run: fmt.number(run.checkpoints), sort="checkpoints", right=True),
        Column[Run](
            head="on disk",
            cell=lambda run: disk.on_disk(run.root, run.path),
            right=True,
            help=ON_DISK + " All its files.",
        ),
        Column[Run](
            head="file size",
            cell=lambda run: fmt.size(run.bytes),
            sort="bytes",
            right=True,
            help=FILE_SIZE + " Of its checkpoints.",
        ),
        Column[Run](
            head="health", cell=lambda run: fmt.findings(run.errors, run.warnings), sort="errors", colors=fmt.color
        ),
        Column[Run](head="last saved at", cell=lambda run: fmt.exact(run.last_saved, zone=False), help=fmt.zone_name()),
    )
    assert {column.sort for column in columns if column.sort and column not in chosen} <= set(RUN_SORTS)
    opens = (links.RUN, lambda run: links.run_query(run.root, run.path))
    return show(columns, records, key="runs", alt="Runs, one a row", opens=opens, sort=sort, selects=True)


def checkpoints(
    records: Sequence[Checkpoint],
    now: datetime,
    *,
    key: str,
    sort: Sort | None = None,
    with_run: bool = True,
    pinned: Collection[tuple[str, Format]] = (),
    metric: Sequence[Column[Checkpoint]] = (),
) -> None:
    """The table of checkpoints; `with_run` adds the run's column and leaves the exact time to the checkpoint's page.
    Those of `pinned` (path relative to the root, format) are marked; `metric` are the columns of a metric's value.
    """
    runs = [shown(links.run_name(item.run)) for item in records]
    width = round(max(map(len, runs), default=0) * LETTER) + 20  # a run's path is never cut
    place = Column[Checkpoint](head="run", cell=lambda item: shown(links.run_name(item.run)), sort="run", width=width)
    epoch = Column[Checkpoint](head="epoch", cell=lambda item: fmt.sourced(item.facts.epoch), sort="epoch", right=True)
    health = Column[Checkpoint](
        head="health", cell=lambda item: [fmt.HEALTH[item.health]], sort="health", colors=fmt.color, width=90
    )
    pin = Column[Checkpoint](head="pinned", cell=lambda item: "yes" if (item.path, item.format) in pinned else fmt.NONE)
    exact = Column[Checkpoint](
        head="saved at", cell=lambda item: fmt.exact(item.saved_at, zone=False), help=fmt.zone_name()
    )
    columns = (
        Column[Checkpoint](
            head="checkpoint",
            cell=lambda item: shorten(shown(links.local(item.path, item.run))),
            sort="path",
            name=True,
        ),
        *((place,) if with_run else ()),
        health,
        Column[Checkpoint](head="step", cell=lambda item: fmt.sourced(item.facts.step), sort="step", right=True),
        *((epoch,) if any(item.facts.epoch for item in records) else ()),
        *metric,
        Column[Checkpoint](head="saved", cell=lambda item: fmt.ago(item.saved_at, now), sort="saved_at"),
        Column[Checkpoint](
            head="file size", cell=lambda item: fmt.size(item.bytes), sort="bytes", right=True, help=FILE_SIZE
        ),
        Column[Checkpoint](head="restorable", cell=lambda item: "yes" if item.restorable else "no"),
        Column[Checkpoint](head="contents", cell=lambda item: fmt.CONTENTS[item.facts.contents]),
        Column[Checkpoint](head="format", cell=lambda item: fmt.FORMATS[item.format]),
        *((pin,) if pinned else ()),
        *(() if with_run else (exact,)),
    )
    assert {column.sort for column in columns if column.sort} <= set(CHECKPOINT_SORTS)
    show(
        columns,
        records,
        key=key,
        alt="Checkpoints, one a row",
        opens=(links.CHECKPOINT, links.checkpoint_query),
        sort=sort,
    )


def variables(records: Sequence[Variable], *, sort: Sort, in_shards: bool) -> None:
    """The table of a checkpoint's variables, without TensorFlow's ending of their names.

    `in_shards`: the format tells each one's shard; where it tells none, the variable is cut over several.
    """
    shard = Column[Variable](
        head="shard", cell=lambda item: "several" if item.shard is None else fmt.number(item.shard), right=True
    )
    columns = (
        Column[Variable](
            head="name", cell=lambda item: shown(item.name.removesuffix(TF_ENDING)), sort="name", name=True
        ),
        Column[Variable](head="shape", cell=lambda item: fmt.shape(item.shape), right=True),
        Column[Variable](head="dtype", cell=lambda item: shown(item.dtype)),
        Column[Variable](head="size", cell=lambda item: fmt.size(item.bytes), sort="bytes", right=True),
        Column[Variable](head="role", cell=lambda item: fmt.ROLES[item.role], sort="role"),
        *((shard,) if in_shards else ()),
    )
    show(columns, records, key="variables", alt="Variables, one a row", sort=sort)


def files(records: Sequence[FileStat], now: datetime, *, key: str = "files") -> None:
    """The table of files."""

    def changed(item: FileStat) -> datetime:
        return datetime.fromtimestamp(item.mtime_ns / 1e9, tz=now.tzinfo)

    columns = (
        Column[FileStat](head="file", cell=lambda item: shown(item.name), name=True),
        Column[FileStat](head="file size", cell=lambda item: fmt.size(item.size), right=True, help=FILE_SIZE),
        Column[FileStat](head="modified", cell=lambda item: fmt.ago(changed(item), now)),
        Column[FileStat](
            head="modified at", cell=lambda item: fmt.exact(changed(item), zone=False), help=fmt.zone_name()
        ),
    )
    show(columns, records, key=key, alt="Files, one a row")
