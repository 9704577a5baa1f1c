"""The tree of bytes for the treemap: its children fit into it, it is never too large, and nothing is counted twice."""

import pytest

from core.base.facts import Contents, Facts
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.disk_usage.known_files import NO_SHARE, Account, Kind
from core.disk_usage.tiles import LIMIT, Tile, TileKind, tiles
from core.disk_usage.usage import Age, Amount, Line, Usage, summed
from tests.support.trees import a_member

SHOWN = LIMIT // 4  # runs with a tile of their own


def usage(*amounts: tuple[str | None, int], root: str = "r00t") -> Usage:
    """An audit of some runs and their allocated bytes."""
    lines = [
        Line(root, Account(run, Kind.OTHER), NO_SHARE, Age.DAY, Amount(allocated=size, files=1))
        for run, size in amounts
    ]
    return summed([root], lines)


def member(run: str, name: str, *files: FileStat) -> Checkpoint:
    """A checkpoint with weights and these files."""
    return a_member(name, folder=run)._replace(files=files, facts=Facts(contents=Contents.WEIGHTS_ONLY))


def file(name: str, allocated: int, *, inode: int = 0, links: int = 1) -> FileStat:
    """A file with some blocks."""
    return FileStat(name, allocated, 1, inode=inode, device=1, links=links, allocated=allocated)


def told(found: tuple[Tile, ...]) -> list[tuple[str, str | None, str | None, int, int]]:
    """What each tile stands for."""
    return [(tile.kind.value, tile.run, tile.path, tile.allocated, tile.count) for tile in found]


def fits(found: tuple[Tile, ...]) -> bool:
    """Whether every parent is there, every id is the only one, and no children have more bytes than their parent."""
    by_id = {tile.id: tile for tile in found}
    inner = dict.fromkeys(by_id, 0)
    for tile in found:
        if tile.parent:
            inner[tile.parent] += tile.allocated
    return len(by_id) == len(found) and all(inner[name] <= tile.allocated for name, tile in by_id.items())


def test_a_run_holds_its_largest_checkpoints_and_a_rest() -> None:
    large = member("a", "ckpt-2", file("ckpt-2.index", 10), file("ckpt-2.data", 60))
    found = tiles(usage(("a", 100), (None, 5)), [large], {("r00t", "a"): 3})
    assert told(found) == [
        ("root", None, None, 105, 0),
        ("run", "a", None, 100, 0),
        ("checkpoint", "a", "a/ckpt-2", 70, 0),
        ("rest", "a", None, 30, 2),
        ("outside", None, None, 5, 0),
    ]
    assert fits(found)
    assert found[2].contents is Contents.WEIGHTS_ONLY


def test_a_run_without_large_checkpoints_is_one_tile() -> None:
    assert told(tiles(usage(("a", 100)), [], {("r00t", "a"): 9}))[1:] == [("run", "a", None, 100, 0)]


def test_a_file_of_several_names_counts_once() -> None:
    twins = [member("a", f"ckpt-{number}", file("shard", 40, inode=7, links=2)) for number in (1, 2)]
    found = tiles(usage(("a", 50)), twins, {("r00t", "a"): 2})
    assert [(tile.path, tile.allocated, tile.count) for tile in found if tile.run][1:] == [
        ("a/ckpt-1", 40, 0),
        (None, 10, 1),
    ]


def test_a_checkpoint_that_grew_since_the_audit_is_cut_to_its_run() -> None:
    grown = [member("a", f"ckpt-{number}", file("shard", 80)) for number in (1, 2, 3)]
    found = tiles(usage(("a", 100)), grown, {("r00t", "a"): 3})
    assert [tile.allocated for tile in found if tile.kind is TileKind.CHECKPOINT] == [80, 20]
    assert fits(found)


@pytest.mark.parametrize("runs", [1, SHOWN - 1, SHOWN, SHOWN + 1, 3_000])
def test_there_are_never_too_many_tiles_and_the_bytes_add_up(runs: int) -> None:
    amounts = [(f"run-{number:04}", 1_000 + number) for number in range(runs)]
    members = [member(name, f"ckpt-{step}", file("shard", 100)) for name, _ in amounts for step in (1, 2)]
    counts = {("r00t", name): 2 for name, _ in amounts}
    found = tiles(usage(*amounts), members[::-1], counts)
    assert len(found) <= LIMIT
    assert fits(found)
    top = [tile for tile in found if tile.parent == "r00t"]
    assert sum(tile.allocated for tile in top) == sum(size for _, size in amounts) == found[0].allocated
    assert [tile.count for tile in top if tile.kind is TileKind.RUNS] == ([runs - SHOWN] if runs > SHOWN else [])
