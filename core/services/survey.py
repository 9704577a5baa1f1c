"""What is known of disk space at one moment, as one value; and the parts of it that need neither walk nor thread."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from core.acts.batches import Batch
from core.acts.journal import FOLDERS
from core.base.errors import CoreError, NotFoundError
from core.base.files import Problem
from core.base.records import Run
from core.disk_usage.growth import Growths
from core.disk_usage.tiles import RunKey, Tile, TileKind
from core.retention.planned import PlannedFile, freed
from core.services import quarantine, retention
from core.services.disk_space import Audited
from core.services.retention import known_links
from core.services.sweeps import TrialPlaces
from core.services.workspace import Workspace
from waypoint_resume.journal import JOURNAL
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN

__all__ = [
    "CouldGo",
    "Going",
    "PlacedBatch",
    "RunKey",
    "Survey",
    "Tile",
    "TileKind",
    "batch_stamps",
    "could_go",
    "may_have_batches",
    "newest_first",
    "placed_batches",
]


class Going(NamedTuple):
    """What could go of one run, or of all: things, their apparent bytes, and the bytes that the disk would gain."""

    items: int = 0
    bytes: int = 0
    freed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldGo:
    """What the retention of the settings lets go; `by_run` has only runs of which something could."""

    total: Going
    by_run: Mapping[RunKey, Going]


class PlacedBatch(NamedTuple):
    """A batch and the run in which it lies."""

    root: str
    run: str
    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of disk space; None and empty before the first look.

    `number` grows whenever something was found anew, `is_looking` while a look goes on. `problems` tell the run, as
    text, of which something is not known; `error` says why the last look gave nothing.
    """

    number: int = 0
    is_looking: bool = False
    audited: Audited | None = None
    growths: Growths | None = None
    tiles: tuple[Tile, ...] = ()
    could_go: CouldGo | None = None
    batches: tuple[PlacedBatch, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str | None = None


def could_go(
    workspace: Workspace, runs: Iterable[Run], check: Callable[[], None] = lambda: None
) -> tuple[CouldGo, list[Problem]]:
    """What the retention of the settings lets go, run by run, and the runs of which that cannot be told. `check` is
    called before each run and may raise.
    """
    by_run: dict[RunKey, Going] = {}
    linked: list[tuple[str, PlannedFile]] = []  # files of several names: they may lie in several runs
    problems: list[Problem] = []
    alone = 0
    trials = TrialPlaces(workspace)
    elsewhere = {root.id: retention.named_elsewhere(workspace, root.id) for root in workspace.reader.roots()}
    links = known_links(workspace)
    for run in runs:
        check()
        try:
            (planned,) = retention.plan(workspace, [run], elsewhere=elsewhere, trials=trials, links=links).runs
        except NotFoundError:
            continue
        except (CoreError, OSError) as error:
            problems.append(Problem(path=to_text(run.path), problem=str(error)))
            continue
        if planned.items:
            files = [(planned.folder, file) for item in planned.items for file in item.files]
            size = sum(file.size for _, file in files)
            by_run[run.root, run.path] = Going(len(planned.items), size, freed(files))
            alone += sum(file.allocated for _, file in files if file.links < 2)
            linked += [one for one in files if one[1].links > 1]
    items, size = sum(one.items for one in by_run.values()), sum(one.bytes for one in by_run.values())
    return CouldGo(total=Going(items, size, alone + freed(linked)), by_run=by_run), problems


def may_have_batches(workspace: Workspace) -> Iterator[RunKey]:
    """The runs of the catalog in which batches may lie, by two looks at the disk for each."""
    roots = {root.id: root.path for root in workspace.reader.roots()}
    for run in workspace.runs():
        hidden = os.path.join(roots[run.root], run.path, HIDDEN)
        if any(os.path.isdir(f"{hidden}/{name}") for name in FOLDERS):
            yield run.root, run.path


def batch_stamps(workspace: Workspace, place: RunKey) -> tuple[tuple[str, int, int], ...]:
    """What changes whenever a batch of a run comes, goes or gets to another stage: their journals and records by name,
    inode and time (ns). None of them is read.
    """
    found: list[tuple[str, int, int]] = []
    for name in FOLDERS:
        folder = os.path.join(workspace.absolute(*place), HIDDEN, name)
        with contextlib.suppress(OSError):
            for entry in sorted(os.listdir(folder)):
                path = os.path.join(folder, entry)
                journal = os.path.join(path, JOURNAL)
                with contextlib.suppress(OSError):
                    seen = os.lstat(journal if os.path.isdir(path) else path)
                    found.append((entry, seen.st_ino, seen.st_mtime_ns))
    return tuple(found)


def placed_batches(workspace: Workspace, places: Iterable[RunKey]) -> tuple[list[PlacedBatch], list[Problem]]:
    """The batches in some places, and what cannot be understood among them."""
    found: list[PlacedBatch] = []
    problems: list[Problem] = []
    for root, path in places:
        try:
            here = quarantine.run_batches(workspace, quarantine.quarantined_run(workspace, root, path))
        except NotFoundError:
            continue
        except (CoreError, OSError) as error:
            problems.append(Problem(path=to_text(path), problem=str(error)))
            continue
        found += [PlacedBatch(root, path, batch) for batch in here.batches]
        problems += [Problem(path=to_text(path), problem=f"{one.path}: {one.problem}") for one in here.problems]
    return found, problems


def newest_first(found: Iterable[PlacedBatch]) -> tuple[PlacedBatch, ...]:
    """Batches in the order of a list."""
    return tuple(sorted(found, key=lambda one: (one.batch.at, one.batch.id), reverse=True))
