"""The audit's totals are those of du and find; its tables add up; what the catalog knows says what bytes are for."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.facts import Contents, Facts, Format, RoleBytes
from core.base.files import FileStat, Problem
from core.base.records import Checkpoint, Leftover
from core.catalog.filters import CheckpointFilter
from core.disk_usage.audit import AuditRoot, audit
from core.disk_usage.growth import Growth, Snapshot, growth, snapshots
from core.disk_usage.known_files import Kind, Known, known_files
from core.disk_usage.usage import Age, Amount, Usage
from core.retention.left_behind import is_leftover, leftover_folder
from core.stores.local import LocalStore
from core.stores.store import Entries
from tests.conftest import Opener
from tests.support.findings import finding
from tests.support.trees import START, START_NS, a_member, age, save, write

DAY_NS = 86_400 * 1_000_000_000
NOW_NS = START_NS + 400 * DAY_NS

NOTHING_KNOWN = Known(places={})


def audited(*roots: Path, known: Known = NOTHING_KNOWN) -> Usage:
    return audit([AuditRoot(id=root.name, store=LocalStore(str(root)), known=known) for root in roots], NOW_NS)


def du(*roots: Path) -> list[int]:
    """What `du` says of each root; given together, as of one."""
    done = subprocess.run(["du", "-s", "-B1", *map(str, roots)], capture_output=True, text=True, check=True)
    return [int(line.split("\t")[0]) for line in done.stdout.splitlines()]


def found_sizes(root: Path) -> tuple[int, int]:
    """(bytes, files) of the regular files that `find` finds, a file of several names once."""
    command = ["find", str(root), "-type", "f", "-printf", r"%D %i %s\n"]
    lines = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
    return sum(int(line.split()[2]) for line in lines), len(lines)


def totals(usage: Usage) -> tuple[int, int, int]:
    return usage.apparent_bytes, usage.allocated_bytes, usage.files


def by_kind(usage: Usage) -> dict[Kind, Amount]:
    return {entry.key: entry.amount for entry in usage.by_kind if entry.key is not Kind.FOLDERS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def odd(root: Path) -> Iterator[Path]:
    """Everything that stands on disks: hidden folders, holes, several names, links, a pipe, a socket, odd names."""
    names = ("a.txt", ".git/objects/pack", "run/.waypoint/log.jsonl", "node_modules/x/y.js", "deep/er/and/deeper/z")
    write(root, {name: b"x" * (3000 * number + 1) for number, name in enumerate(names)})
    (root / "empty").mkdir()
    (root / "zero").touch()
    with (root / "sparse").open("wb") as file:
        file.truncate(50 << 20)
        file.seek(20 << 20)
        file.write(b"x" * 5000)
    os.link(root / "a.txt", root / "deep/twin")
    os.link(root / "sparse", root / "empty/sparse-too")
    (root / "short").symlink_to("a.txt")
    (root / "broken").symlink_to("nothing" * 30)
    (root / "to-folder").symlink_to(root / "deep")
    (root / "out").symlink_to("/usr")
    os.link(root / "broken", root / "broken-too", follow_symlinks=False)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(root / "socket"))
        (root / os.fsdecode(b"odd \xff \n name")).write_bytes(b"odd")
        yield root


def test_the_totals_are_those_of_du_and_find(odd: Path) -> None:
    usage = audited(odd)
    size, files = found_sizes(odd)
    assert [usage.allocated_bytes] == du(odd)
    assert (usage.apparent_bytes, usage.files) == (size, files)
    assert usage.apparent_bytes > 50 << 20 > usage.allocated_bytes
    assert usage.problems == ()


def test_several_roots_count_what_they_share_once(odd: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, {"own": b"own" * 3000})
    os.link(odd / "a.txt", other / "a.txt")
    roots = (other, odd, odd / "deep")
    usage = audited(*roots)
    assert usage.allocated_bytes == sum(du(*roots)) < sum(size for root in roots for size in du(root))
    assert {entry.key: entry.amount.allocated for entry in usage.by_root} == {
        **dict(zip(("other", "root"), du(*roots), strict=True)),
        "deep": 0,
    }


def test_a_mounted_file_system_is_seen_as_du_sees_it() -> None:
    root = Path("/dev")
    if not os.path.ismount(root / "shm") or not os.access(root / "shm", os.W_OK):
        pytest.skip("no writable file system is mounted below /dev here")
    inside = root / "shm" / f"waypoint-audit-{os.getpid()}"
    inside.mkdir()
    try:
        write(inside, {"a": b"x" * 70_000})
        usage = audited(root / "shm")
        assert [usage.allocated_bytes] == du(root / "shm")
        devices = {entry.stat(follow_symlinks=False).st_dev for entry in os.scandir(root)}
        assert len(devices) > 1
        assert by_kind(audited(root))[Kind.OTHER].apparent >= 70_000
    finally:
        shutil.rmtree(inside)


file_names = st.text(st.sampled_from("ab.-é\n "), min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
trees = st.lists(
    st.tuples(
        st.lists(file_names, min_size=1, max_size=3).map("/".join),
        st.sampled_from(["file", "hole", "twin", "link", "folder"]),
        st.integers(0, 20_000),
    ),
    max_size=12,
)


def grow(root: Path, tree: list[tuple[str, str, int]]) -> None:
    """Make what can be made of a tree: names that are taken are left alone."""
    made: list[Path] = []
    for name, what, size in tree:
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if what == "folder":
                path.mkdir()
            elif what == "link":
                path.symlink_to("x" * (size % 200 + 1))
            elif what == "twin" and made:
                os.link(made[size % len(made)], path)
            else:
                with path.open("xb") as file:
                    file.truncate(size * (40 if what == "hole" else 0))
                    file.write(b"x" * (size if what == "file" else 1))
                made.append(path)
        except (FileExistsError, NotADirectoryError):
            continue


@given(trees)
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_random_trees_have_the_totals_of_du_and_find_and_tables_that_add_up(
    tmp_path: Path, tree: list[tuple[str, str, int]]
) -> None:
    root = tmp_path / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    grow(root, tree)
    usage = audited(root)
    assert [usage.allocated_bytes] == du(root)
    assert (usage.apparent_bytes, usage.files) == found_sizes(root)
    assert_adds_up(usage)


def assert_adds_up(usage: Usage) -> None:
    for table in (usage.by_root, usage.by_run, usage.by_format, usage.by_contents, usage.by_kind, usage.by_age):
        amounts = [entry.amount for entry in table]
        assert tuple(map(sum, zip(*amounts, strict=True))) == totals(usage)
        assert [amount.allocated for amount in amounts] == sorted((one.allocated for one in amounts), reverse=True)
        assert min(min(amount) for amount in amounts) >= 0


def test_a_root_that_is_gone_and_a_folder_that_goes_are_problems(root: Path) -> None:
    class Shy(LocalStore):
        """A folder of it cannot be listed."""

        def entries(self, folder: str) -> Entries:
            if folder == "shy":
                raise PermissionError(13, "Permission denied")
            return super().entries(folder)

    write(root, {"shy/a": b"1", "open/b": b"22"})
    gone = AuditRoot(id="gone", store=LocalStore(str(root / "nothing")), known=NOTHING_KNOWN)
    shy = AuditRoot(id="shy", store=Shy(str(root)), known=NOTHING_KNOWN)
    usage = audit([gone, shy], NOW_NS)
    assert usage.problems == (
        ("gone", Problem(path="", problem="No such file or directory")),
        ("shy", Problem(path="shy", problem="Permission denied")),
    )
    assert (usage.apparent_bytes, usage.files) == (2, 1)
    assert usage.allocated_bytes == du(root)[0] - (root / "shy/a").stat().st_blocks * 512
    assert {entry.key: entry.amount.files for entry in usage.by_root} == {"gone": 0, "shy": 1}
    assert [row.root for row in snapshots(usage, START)] == ["shy"]


def test_a_folder_that_became_a_link_is_not_followed(odd: Path) -> None:
    store = LocalStore(str(odd))
    assert "er" in store.entries("deep").names
    with pytest.raises(OSError, match="to-folder"):
        store.entries("to-folder")


def test_ages_are_those_of_the_files(root: Path) -> None:
    days = {0.5: Age.DAY, 6: Age.WEEK, 29: Age.MONTH, 89: Age.QUARTER, 364: Age.YEAR, 366: Age.OLDER, -3: Age.DAY}
    for number, back in enumerate(days):
        write(root, {f"{number}": b"x" * 10**number}, NOW_NS - int(back * DAY_NS))
    age(root, NOW_NS)
    sizes: dict[Age, int] = {}
    for number, name in enumerate(days.values()):
        sizes[name] = sizes.get(name, 0) + 10**number
    assert {entry.key: entry.amount.apparent for entry in audited(root).by_age} == sizes


def test_runs_own_what_lies_below_them_and_the_deepest_one_wins(root: Path) -> None:
    write(root, {"note": b"1", "a/x": b"22", "a/b/y": b"4444", "a/b/.git/z": b"88888888"})
    known = Known(runs=frozenset({"a", "a/b"}), places={})
    assert {entry.key: entry.amount.apparent for entry in audited(root, known=known).by_run} == {
        ("root", None): 1,
        ("root", "a"): 2,
        ("root", "a/b"): 12,
    }
    known = Known(runs=frozenset({".", "a"}), places={})
    assert {entry.key[1]: entry.amount.files for entry in audited(root, known=known).by_run} == {".": 1, "a": 3}


def test_kinds_follow_names_where_the_catalog_knows_nothing(root: Path) -> None:
    files = {
        "run/events.out.tfevents.1": 1,
        "run/.waypoint/quarantine/b1/ckpt-1.index": 10,
        "run/.waypoint/quarantine/b1/events.out.tfevents.1": 100,
        "run/.waypoint/kept/m/files/best.keras": 7,
        "run/.waypoint/kept/m/files/events.out.tfevents.1": 20,
        "run/.waypoint/log.jsonl": 1000,
        "run/.waypoint/state/0a1b.json": 2,
        "run/.waypoint/superseded/events.out.tfevents.1": 30,
        "run/.waypoint/fits/1/kept.json": 400,
        "run/quarantine/x": 10_000,
        "run/state/kept/x": 20_000,
    }
    write(root, {name: b"x" * size for name, size in files.items()})
    kinds = {kind: (amount.apparent, amount.files) for kind, amount in by_kind(audited(root)).items()}
    assert kinds == {
        Kind.EVENTS: (1, 1),
        Kind.QUARANTINE: (110, 2),
        Kind.KEPT: (27, 2),
        Kind.RESUMING: (1432, 4),
        Kind.OTHER: (30_000, 2),
    }


def with_files(root: Path, sizes: dict[str, int], facts: Facts, *, restorable: bool = True) -> Checkpoint:
    """A checkpoint in `run` whose files of these sizes are on disk."""
    write(root / "run", {name: b"x" * size for name, size in sizes.items()})
    files = tuple(FileStat(name, size, START_NS) for name, size in sizes.items())
    item = a_member("ckpt-1", folder="run", restorable=restorable)
    return item._replace(files=files, bytes=sum(sizes.values()), facts=facts)


def test_a_checkpoints_bytes_are_shared_out_by_the_roles_of_its_variables(root: Path) -> None:
    facts = Facts(contents=Contents.WEIGHTS_AND_OPTIMIZER, role_bytes=RoleBytes(20_000, 40_000, 1_000))
    sizes = {"ckpt-1.index": 1_000, "ckpt-1.data-00000-of-00001": 61_000, "ckpt-1.meta": 8_000}
    item = with_files(root, sizes, facts)
    usage = audited(root, known=known_files(["run"], [item], []))
    kinds = by_kind(usage)
    assert {kind: amount.apparent for kind, amount in kinds.items()} == {
        Kind.WEIGHTS: 20_000,
        Kind.OPTIMIZER: 40_000,
        Kind.ARCHITECTURE: 8_000,
        Kind.CHECKPOINT_REST: 2_000,
    }
    blocks = sum((root / "run" / name).stat().st_blocks * 512 for name in sizes if not name.endswith(".meta"))
    assert (kinds[Kind.WEIGHTS].allocated, kinds[Kind.OPTIMIZER].allocated) == (
        blocks * 20 // 62,
        blocks * 40 // 62,
    )
    assert {entry.key: entry.amount.apparent for entry in usage.by_format} == {Format.TF_BUNDLE: 70_000, None: 0}
    assert usage.by_contents[0].key is Contents.WEIGHTS_AND_OPTIMIZER
    assert (kinds[Kind.OPTIMIZER].files, kinds[Kind.WEIGHTS].files, kinds[Kind.ARCHITECTURE].files) == (2, 0, 1)
    assert_adds_up(usage)


@pytest.mark.parametrize("on_disk", [0, 1, 50, 250], ids=["emptied", "cut-since", "half", "grown-since"])
def test_files_that_are_not_as_long_as_the_catalog_says_still_add_up(root: Path, on_disk: int) -> None:
    facts = Facts(role_bytes=RoleBytes(300, 600, 100))
    item = with_files(root, {"ckpt-1.index": 100}, facts)
    (root / "run/ckpt-1.index").write_bytes(b"x" * on_disk)
    usage = audited(root, known=known_files(["run"], [item], []))
    assert {kind: amount.apparent for kind, amount in by_kind(usage).items()} == {
        Kind.WEIGHTS: on_disk * 30 // 100,
        Kind.OPTIMIZER: on_disk * 60 // 100,
        Kind.CHECKPOINT_REST: on_disk - on_disk * 30 // 100 - on_disk * 60 // 100,
    }
    assert_adds_up(usage)


def test_what_a_save_left_is_a_leftover_also_where_it_is_a_row_of_the_catalog(root: Path) -> None:
    orphan = with_files(root, {"ckpt-1.index": 7, "ckpt-1.meta": 5}, Facts(), restorable=False)
    orphan = orphan._replace(findings=(finding("orphan-index", orphan.path, "x"),))
    temp = FileStat("ckpt-2_temp/part-00000-of-00001.index", 9, START_NS)
    write(root / "run", {temp.name: b"x" * 9})
    left = Leftover(path="run/ckpt-2_temp", rule="interrupted-save", files=(temp,), reason="x")
    usage = audited(root, known=known_files(["run"], [orphan], [("run", left)]))
    assert {kind: (amount.apparent, amount.files) for kind, amount in by_kind(usage).items()} == {
        Kind.LEFTOVERS: (21, 3)
    }


@pytest.mark.parametrize(
    ("path", "name", "folder"),
    [
        ("run/ckpts/ckpt-3", "ckpt-3.data-00000-of-00002", "run/ckpts"),
        ("ckpt-3", "ckpt-3.data-00000-of-00002", ""),
        ("run/ckpt-3_temp", "ckpt-3_temp/part-00000-of-00001.index", "run"),
        ("ckpt-3_temp", "ckpt-3_temp/part-00000-of-00001.index", ""),
        ("run/sm/variables/variables_temp", "variables/variables_temp/part-0-of-1.index", "run/sm"),
        ("run/checkpoint.tmp1f", "checkpoint.tmp1f", "run"),
    ],
)
def test_the_folder_of_a_leftover(path: str, name: str, folder: str) -> None:
    left = Leftover(path=path, rule="x", files=(FileStat(name, 1, 1),), reason="x")
    assert leftover_folder(left) == folder


def test_an_indexed_tree_knows_what_each_file_is_for(samples: Path, workspace: Opener) -> None:
    space = workspace(samples)
    space.refresh()
    root = space.reader.roots()[0]
    runs = space.runs()
    items = space.reader.checkpoints(CheckpointFilter(root=root.id), limit=None).items
    left = [(run.path, one) for run in runs for one in space.reader.leftovers(root.id, run.path)]
    known = known_files([run.path for run in runs], items, left)
    usage = audit([AuditRoot(id=root.id, store=LocalStore(root.path), known=known)], NOW_NS)
    assert_adds_up(usage)
    assert [usage.allocated_bytes] == du(samples)
    assert sum(entry.amount.apparent for entry in usage.by_format if entry.key) == sum(item.bytes for item in items)
    kinds = by_kind(usage)
    weights = sum(item.facts.role_bytes.weights for item in items if item.restorable)
    assert weights * 0.99 < kinds[Kind.WEIGHTS].apparent < weights * 1.2
    assert kinds[Kind.OPTIMIZER].apparent > weights / 2
    lost = sum(item.bytes for item in items if is_leftover(item))
    lost += sum(file.size for _, one in left for file in one.files)
    assert kinds[Kind.LEFTOVERS].apparent == lost > 0


def test_growth_is_what_came_and_went_and_says_nothing_of_what_was_not_looked_at() -> None:
    later = START + timedelta(days=1)
    old = (Snapshot(START, "a", "r1", 10, 100), Snapshot(START, "a", "gone", 1, 5), Snapshot(START, "b", None, 7, 7))
    new = (Snapshot(later, "a", "r1", 15, 160), Snapshot(later, "a", None, 2, 8), Snapshot(later, "c", "r", 1, 1))
    found = growth(old, new)
    line = Growth(root="a", run="r1", since=START, until=later, apparent=5, allocated=60)
    assert found.by_run == (
        line,
        replace(line, run=None, apparent=2, allocated=8),
        replace(line, run="gone", apparent=-1, allocated=-5),
    )
    assert found.by_root == (replace(line, run=None, apparent=6, allocated=63),)
    assert growth(old, old).by_root[0].allocated == 0
    assert growth((), new) == growth(old, ())


def test_snapshots_hold_every_byte_of_an_audit(root: Path) -> None:
    save(root / "run", 3)
    usage = audited(root, known=Known(runs=frozenset({"run"}), places={}))
    rows = snapshots(usage, START)
    assert sum(row.allocated for row in rows) == usage.allocated_bytes
    assert {row.run for row in rows} == {None, "run"}
