"""The tree of bytes from root to run to checkpoint, cut to what a chart can show. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.base.facts import Contents
from core.base.records import Checkpoint
from core.disk_usage.usage import Amount, Usage
from waypoint_resume.names import join, short_id

LIMIT = 1_000  # rectangles: each costs time in every script run, and smaller ones cannot be seen
_RUNS = LIMIT // 4
LARGEST = LIMIT // 2  # checkpoints that are worth asking for

RunKey = tuple[str, str]  # a root's id, a run's path


class TileKind(StrEnum):
    """What a rectangle stands for. `rest` is what a run holds beside the checkpoints that have one of their own,
    `runs` the smaller runs of a root together, `outside` what lies in no run.
    """

    ROOT = "root"
    RUN = "run"
    CHECKPOINT = "checkpoint"
    REST = "rest"
    RUNS = "runs"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One rectangle: `allocated` bytes with all that lies in it. `parent` is a tile's id, '' at the top; `count` says
    how many runs or checkpoints a sum stands for. The children of a tile never have more bytes than it.
    """

    id: str
    parent: str
    kind: TileKind
    root: str
    allocated: int
    run: str | None = None
    path: str | None = None
    contents: Contents | None = None
    count: int = 0


class _Run(NamedTuple):
    root: str
    path: str
    amount: Amount


def tiles(usage: Usage, largest: Sequence[Checkpoint], counts: Mapping[RunKey, int]) -> tuple[Tile, ...]:
    """At most LIMIT tiles, as long as there are only some roots. `largest` are the checkpoints with the most
    bytes, the greatest first; `counts` are all checkpoints of each run.
    """
    runs = [_Run(root, run, amount) for (root, run), amount in usage.by_run if run is not None and amount.allocated]
    shown = runs[:_RUNS]
    found = [
        Tile(id=root, parent="", kind=TileKind.ROOT, root=root, allocated=amount.allocated)
        for root, amount in usage.by_root
        if amount.allocated
    ]
    room = max(LIMIT - 3 * len(usage.by_root) - 2 * len(shown), 0)  # each run may need a rest, each root two sums
    members = _members(largest[:room], {(run.root, run.path) for run in shown})
    for run in shown:
        found += _run_tiles(run, members.get((run.root, run.path), []), counts.get((run.root, run.path), 0))
    return (*found, *_summed(usage, runs[_RUNS:]))


def _members(largest: Sequence[Checkpoint], shown: set[RunKey]) -> dict[RunKey, list[tuple[Checkpoint, int]]]:
    """The checkpoints of the runs that are shown, with their allocated bytes; a file of several names counts once."""
    found: dict[RunKey, list[tuple[Checkpoint, int]]] = {}
    seen: set[tuple[int, int]] = set()
    for item in largest:
        if (item.root, item.run) in shown:
            fresh = [file for file in item.files if file.links < 2 or (file.device, file.inode) not in seen]
            seen.update((file.device, file.inode) for file in fresh if file.links > 1)
            found.setdefault((item.root, item.run), []).append((item, sum(file.allocated for file in fresh)))
    return found


def _run_tiles(run: _Run, members: Sequence[tuple[Checkpoint, int]], count: int) -> list[Tile]:
    name = short_id(run.root, run.path)
    own = Tile(id=name, parent=run.root, kind=TileKind.RUN, root=run.root, run=run.path, allocated=run.amount.allocated)
    inner: list[Tile] = []
    left = run.amount.allocated
    for item, allocated in members:
        # The catalog may be a little younger or older than the audit: never more than the run holds.
        size = min(allocated, left)
        left -= size
        if size:
            inner.append(
                Tile(
                    id=short_id(item.root, item.path, item.format),
                    parent=name,
                    kind=TileKind.CHECKPOINT,
                    root=item.root,
                    run=item.run,
                    path=item.path,
                    contents=item.facts.contents,
                    allocated=size,
                )
            )
    if inner and left:
        rest = max(count - len(inner), 0)
        tile = Tile(
            id=join(name, "rest"),
            parent=name,
            kind=TileKind.REST,
            root=run.root,
            run=run.path,
            allocated=left,
            count=rest,
        )
        inner.append(tile)
    return [own, *inner]


def _summed(usage: Usage, smaller: Sequence[_Run]) -> list[Tile]:
    """For each root its smaller runs in one tile, and what lies outside of runs in another."""
    found = []
    for root in dict.fromkeys(run.root for run in smaller):
        mine = [run.amount.allocated for run in smaller if run.root == root]
        name = join(root, "runs")
        found.append(
            Tile(id=name, parent=root, kind=TileKind.RUNS, root=root, allocated=sum(mine), count=len(mine)),
        )
    for (root, run), amount in usage.by_run:
        if run is None and amount.allocated:
            name = join(root, "outside")
            found.append(Tile(id=name, parent=root, kind=TileKind.OUTSIDE, root=root, allocated=amount.allocated))
    return found
