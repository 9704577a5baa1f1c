"""The catalog: schema and migrations, where it may live, rows there and back, filters, sorts, pages, isolation."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Text, inspect, select, text

from core.base.errors import CatalogError, NotFoundError
from core.base.facts import Contents, Facts, Format, ReadProblem, RoleBytes, Shard, Sourced
from core.base.files import FileStat
from core.base.records import Checkpoint, Health, Leftover, Root, SavedAtSource, StateFile
from core.catalog import engine as catalog
from core.catalog import migrations, tables, writes
from core.catalog.engine import FILE_NAME, file_system_of, open_catalog, reopen_if_replaced
from core.catalog.filters import CheckpointFilter, FindingFilter, RunFilter
from core.catalog.known_folders import KnownFolder, store_folders
from core.catalog.queries import CHECKPOINT_SORTS, Reader
from core.catalog.rows import (
    bounded,
    checkpoint_from_row,
    from_us,
    leftovers_from_json,
    leftovers_to_json,
    states_from_json,
    states_to_json,
    to_us,
)
from core.catalog.rows_to_write import checkpoint_to_row
from core.catalog.run_queries import RUN_SORTS
from tests.support.findings import finding
from tests.support.trees import START, a_member, a_run_row

NOW = START + timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A fresh catalog."""
    made = open_catalog(tmp_path / "home")
    yield made
    made.dispose()


# Schema


def test_a_new_catalog_has_every_table_and_its_version(engine: Engine) -> None:
    assert set(inspect(engine).get_table_names()) == set(tables.metadata.tables)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT version FROM schema_version")).all() == [len(migrations.MIGRATIONS)]
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        open_catalog(tmp_path).dispose()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("SELECT version FROM schema_version").fetchall() == [(len(migrations.MIGRATIONS),)]
    database.close()


def test_several_may_make_it_at_once(tmp_path: Path) -> None:
    errors: list[CatalogError] = []
    start = threading.Barrier(6)

    def make() -> None:
        start.wait()
        try:
            open_catalog(tmp_path).dispose()
        except CatalogError as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_opening_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    first = open_catalog(tmp_path)
    with first.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        second = open_catalog(tmp_path)
        assert Reader(second, ["x"]).roots() == ()
        second.dispose()
    first.dispose()


def add_notes(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE notes (id INTEGER)"))
    connection.execute(text("INSERT INTO notes VALUES (1)"))


def test_an_added_step_runs_once_and_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_catalog(tmp_path)
    with first.begin() as connection:
        writes.store_root(connection, Root(id="r", path="/data"), 1)
    first.dispose()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_notes))
    for _ in range(2):
        opened = open_catalog(tmp_path)
        with opened.connect() as connection:
            assert connection.scalars(text("SELECT id FROM notes")).all() == [1]
            assert connection.scalars(text("SELECT version FROM schema_version")).all() == [len(migrations.MIGRATIONS)]
        assert [root.path for root in Reader(opened, ["r"]).roots()] == ["/data"]
        opened.dispose()


def test_a_step_that_fails_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_catalog(tmp_path).dispose()

    def fails(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE notes ADD COLUMN more TEXT"))
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_notes, fails))
    with pytest.raises(RuntimeError, match="power cut"):
        open_catalog(tmp_path)
    monkeypatch.undo()
    opened = open_catalog(tmp_path)
    assert "notes" not in inspect(opened).get_table_names()
    opened.dispose()


def test_a_newer_catalog_is_refused_with_its_name(tmp_path: Path) -> None:
    open_catalog(tmp_path).dispose()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("UPDATE schema_version SET version = 99")
    database.close()
    with pytest.raises(CatalogError, match=f"{tmp_path / FILE_NAME} has schema 99, made by a newer Waypoint"):
        open_catalog(tmp_path)


@pytest.mark.parametrize("content", [b"no database" * 200, b"SQLite format 3\0" + b"\xff" * 4000], ids=["text", "torn"])
def test_a_file_that_is_no_database_is_refused_with_its_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(CatalogError, match=f"{tmp_path / FILE_NAME} cannot be used: .*delete it and index again"):
        open_catalog(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CatalogError, match="cannot be made: Not a directory"):
        open_catalog(tmp_path / "file" / "home")


MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /mnt/team rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
31 30 0:41 / /mnt/team/local rw - xfs /dev/sdb rw
32 22 0:42 / /mnt/my\040share rw - cifs //host/share rw
33 22 0:43 / /mnt/日本\134x rw master:3 - fuse.sshfs host:/ rw
34 22 0:44 / /mnt/twice rw - nfs server:/a rw
35 22 0:45 / /mnt/twice rw - tmpfs tmpfs rw
36 22 0:46 / /run rw - tmpfs tmpfs rw
37 22 0:47 / /mnt/auto rw - autofs systemd-1 rw
""".lstrip()


@pytest.mark.parametrize(
    ("path", "kind", "refused"),
    [
        ("/home/ada", "ext4", False),
        ("/mnt/team", "nfs4", True),
        ("/mnt/team/ada/home", "nfs4", True),
        ("/mnt/team/local/home", "xfs", False),
        ("/mnt/teamwork", "ext4", False),
        ("/mnt/my share/home", "cifs", True),
        ("/mnt/日本\\x/home", "fuse.sshfs", True),
        ("/mnt/twice/home", "tmpfs", False),
        ("/mnt/auto/home", "autofs", False),
    ],
    ids=["root", "nfs", "below-nfs", "disk-in-nfs", "same-beginning", "blank", "odd-name", "mounted-over", "autofs"],
)
def test_a_network_file_system_is_refused(
    path: str, kind: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert file_system_of(Path(path), mounts) == kind
    monkeypatch.setattr(catalog, "file_system_of", lambda _: kind)
    if refused:
        with pytest.raises(CatalogError, match=rf"lies on a network file system \({kind}\)"):
            open_catalog(tmp_path / "home")
        assert not (tmp_path / "home" / FILE_NAME).exists()
    else:
        open_catalog(tmp_path / "home").dispose()


def test_a_system_that_does_not_tell_its_mounts_is_not_refused(tmp_path: Path) -> None:
    assert file_system_of(tmp_path, tmp_path / "none") is None


# Rows

names = st.binary(min_size=1, max_size=12).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"").replace(b"/", b"") or b"x")
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
sentences = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.none() | st.integers(0, 2**62)
sourced = st.none() | st.builds(Sourced, st.integers(-(2**63), 2**63 - 1), sentences)
_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
moments = st.datetimes(_NAIVE, _NAIVE.replace(year=9999), timezones=st.just(UTC))
stats = st.builds(FileStat, names, *[st.integers(0, 2**62)] * 6)
facts = st.builds(
    Facts,
    contents=st.sampled_from(Contents),
    contents_reason=texts,
    has_optimizer=st.booleans(),
    has_architecture=st.booleans(),
    step=sourced,
    step_reason=texts,
    epoch=sourced,
    save_counter=sourced,
    saved_at=st.none() | moments,
    variables=numbers,
    parameters=numbers,
    role_bytes=st.builds(RoleBytes, *[st.integers(0, 2**62)] * 3),
    fingerprint=texts,
    shards=st.lists(st.builds(Shard, st.integers(0, 9), names, numbers, numbers), max_size=3).map(tuple),
    committed=st.booleans(),
    problem=st.none() | st.builds(ReadProblem, kind=sentences, file=names, detail=sentences),
    mismatch=texts,
    writer=texts,
)
records = st.builds(
    Checkpoint,
    root=st.just("r00t"),
    run=paths,
    path=paths,
    folder=paths,
    format=st.sampled_from(Format),
    files=st.lists(stats, max_size=3).map(tuple),
    saved_at=moments,
    saved_at_source=st.sampled_from(SavedAtSource),
    bytes=st.integers(0, 2**62),
    facts=facts,
    restorable=st.booleans(),
    health=st.sampled_from(Health),
    series=st.just("5e71e5"),
    stem=names,
    attempt=st.integers(1, 9),
    is_latest=st.booleans(),
    is_latest_restorable=st.booleans(),
    metric=st.none() | st.tuples(sentences, st.floats(allow_nan=False)),
    findings=st.just(()),
    id=st.none(),
)


@settings(max_examples=50, deadline=None)
@given(records)
def test_a_checkpoint_is_the_same_after_its_row(item: Checkpoint) -> None:
    row = checkpoint_to_row(item)
    assert checkpoint_from_row({**row, "id": 5}) == item._replace(id=5)
    assert all(value.encode() is not None for value in row.values() if isinstance(value, str))


def test_a_checkpoint_of_any_name_survives_the_database(engine: Engine) -> None:
    odd = os.fsdecode(b"caf\xe9\n\\xff<b>")
    item = a_member(odd, step=5, folder=f"{odd}/x")
    with engine.begin() as connection:
        writes.store_checkpoints(connection, [], [item])
    assert Reader(engine, ["r00t"]).checkpoint("r00t", item.path) == item._replace(id=1)


states = st.builds(
    StateFile,
    path=paths,
    latest=texts,
    history=st.lists(sentences).map(tuple),
    times=st.lists(st.floats(0, 1e10)).map(tuple),
    error=texts,
    unreadable=texts,
    mtime_ns=st.integers(0, 2**62),
)


@given(st.lists(states))
def test_state_files_are_the_same_after_their_row(items: list[StateFile]) -> None:
    assert states_from_json(states_to_json(items)) == tuple(items)


leftovers = st.builds(
    Leftover,
    path=paths,
    rule=sentences,
    files=st.lists(stats, max_size=2).map(tuple),
    reason=sentences,
    writing=st.booleans(),
)


@given(st.lists(leftovers))
def test_leftovers_are_the_same_after_their_row(items: list[Leftover]) -> None:
    assert leftovers_from_json(leftovers_to_json(items)) == tuple(items)


@given(moments)
def test_times_keep_their_microseconds(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


# Queries


def store(engine: Engine, *items: Checkpoint, rows: tuple[dict[str, object], ...] = (), root: str = "r00t") -> Reader:
    """Checkpoints and runs in the catalog, with the checkpoints' findings; returns a reader of the root."""
    with engine.begin() as connection:
        writes.store_root(connection, Root(id=root, path=f"/{root}"), to_us(START))
        writes.store_checkpoints(connection, [], [item._replace(root=root) for item in items])
        found = [found for item in items for found in item.findings]
        plain = [({**row, "root": root}, found if number == 0 else []) for number, row in enumerate(rows)]
        writes.store_runs(connection, root, plain)
    return Reader(engine, [root])


def test_status_follows_from_the_time_that_is_asked_about(engine: Engine) -> None:
    reader = store(engine, rows=(a_run_row("exp"),))
    for after, status in (
        (timedelta(), "live"),
        (timedelta(hours=1), "live"),
        (timedelta(hours=1, microseconds=1), "idle"),
        (timedelta(days=14), "stale"),
    ):
        assert reader.run("r00t", "exp", START + after).status == status
        assert reader.runs(RunFilter(status=(status,)), START + after).total == 1
        others = tuple({"live", "idle", "stale"} - {status})
        assert reader.runs(RunFilter(status=others), START + after).total == 0
        assert getattr(reader.overview(START + after), status) == 1


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (RunFilter(), ["a", "a_b", "axb", "b%c"]),
        (RunFilter(text="_"), ["a_b"]),
        (RunFilter(text="%"), ["b%c"]),
        (RunFilter(text="A"), ["a", "a_b", "axb"]),
        (RunFilter(health=("error",)), ["a"]),
        (RunFilter(health=("warning",)), ["a_b"]),
        (RunFilter(health=("ok", "error")), ["a", "axb", "b%c"]),
        (RunFilter(root="other"), []),
        (RunFilter(status=("nonsense",)), ["a", "a_b", "axb", "b%c"]),
    ],
    ids=["all", "underscore", "percent", "case", "error", "warning", "two-healths", "other-root", "unknown-status"],
)
def test_runs_are_filtered(where: RunFilter, expected: list[str], engine: Engine) -> None:
    rows = (
        a_run_row("a", errors=1, warnings=1),
        a_run_row("a_b", warnings=2),
        a_run_row("axb", infos=3),
        a_run_row("b%c"),
    )
    page = store(engine, rows=rows).runs(where, NOW, sort="path", descending=False)
    assert ([run.path for run in page.items], page.total) == (expected, len(expected))


@pytest.mark.parametrize("sort", RUN_SORTS)
def test_runs_are_sorted_with_unknown_values_last(sort: str, engine: Engine) -> None:
    column = RUN_SORTS[sort]
    values: list[object] = ["", "1", "2"] if isinstance(column.type, Text) else [0, 1, 2]
    least, known, more = ({} if sort == "path" else {column.name: value} for value in values)
    if column.nullable:
        least = {column.name: None}
    reader = store(engine, rows=(a_run_row("m", **known), a_run_row("n", **more), a_run_row("l", **least)))
    up, down = (
        [run.path for run in reader.runs(RunFilter(), NOW, sort=sort, descending=descending).items]
        for descending in (False, True)
    )
    assert (up, down) == (["m", "n", "l"] if column.nullable else ["l", "m", "n"], ["n", "m", "l"])


def test_runs_are_sorted_by_all_that_a_list_of_them_may_want() -> None:
    wanted = {"path", "last_saved", "changed_at", "newest_step", "checkpoints", "series", "bytes", "errors"}
    assert wanted <= RUN_SORTS.keys()


def varied() -> list[Checkpoint]:
    """Four checkpoints that differ in everything that is filtered or sorted by."""
    broken = a_member("b%", minute=2, restorable=False)
    return [
        a_member("c-1", step=30, minute=1)._replace(bytes=10),
        broken._replace(bytes=20, findings=(finding("missing-shard", broken.path, "1 of 2"),)),
        a_member("A_3", step=10, minute=3, form=Format.KERAS, folder="other")._replace(bytes=40),
        a_member("c-4", step=20, minute=4)._replace(
            bytes=80,
            facts=Facts(
                contents=Contents.FULL_MODEL, step=Sourced(20, "x"), epoch=Sourced(2, "y"), variables=7, parameters=9
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (CheckpointFilter(), "c-4 A_3 b% c-1"),
        (CheckpointFilter(root="r00t", run="run"), "c-4 b% c-1"),
        (CheckpointFilter(root="elsewhere"), ""),
        (CheckpointFilter(text="%"), "b%"),
        (CheckpointFilter(text="_"), "A_3"),
        (CheckpointFilter(text="a_"), "A_3"),
        (CheckpointFilter(text="run/ckpts/C"), "c-4 c-1"),
        (CheckpointFilter(format=("keras", "hdf5")), "A_3"),
        (CheckpointFilter(contents=("full_model",)), "c-4"),
        (CheckpointFilter(health=("error",)), "b%"),
        (CheckpointFilter(restorable=False), "b%"),
        (CheckpointFilter(restorable=True), "c-4 A_3 c-1"),
        (CheckpointFilter(saved_after=START + timedelta(minutes=3)), "c-4 A_3"),
        (CheckpointFilter(saved_before=START + timedelta(minutes=2)), "b% c-1"),
        (CheckpointFilter(min_bytes=20, max_bytes=40), "A_3 b%"),
        (CheckpointFilter(min_bytes=0), "c-4 A_3 b% c-1"),
        (CheckpointFilter(max_bytes=0), ""),
        (CheckpointFilter(run="run", format=("tf-bundle",), restorable=True, min_bytes=50), "c-4"),
    ],
)
def test_checkpoints_are_filtered(where: CheckpointFilter, expected: str, engine: Engine) -> None:
    page = store(engine, *varied()).checkpoints(where)
    assert [item.path.rpartition("/")[2] for item in page.items] == expected.split()
    assert (page.total, page.total_bytes) == (len(page.items), sum(item.bytes for item in page.items))


@pytest.mark.parametrize(
    ("sort", "up", "down"),
    [
        ("saved_at", "c-1 b% A_3 c-4", "c-4 A_3 b% c-1"),
        ("step", "A_3 c-4 c-1 b%", "c-1 c-4 A_3 b%"),
        ("epoch", "c-4 A_3 b% c-1", "c-4 A_3 b% c-1"),
        ("bytes", "c-1 b% A_3 c-4", "c-4 A_3 b% c-1"),
        ("path", "A_3 b% c-1 c-4", "c-4 c-1 b% A_3"),
        ("run", "A_3 b% c-1 c-4", "b% c-1 c-4 A_3"),
        ("variables", "c-4 A_3 b% c-1", "c-4 A_3 b% c-1"),
        ("parameters", "c-4 A_3 b% c-1", "c-4 A_3 b% c-1"),
        ("health", "b% A_3 c-1 c-4", "A_3 c-1 c-4 b%"),
        ("nonsense; DROP TABLE runs", "c-1 b% A_3 c-4", "c-4 A_3 b% c-1"),
    ],
)
def test_checkpoints_are_sorted_with_unknown_values_last(sort: str, up: str, down: str, engine: Engine) -> None:
    reader = store(engine, *varied())
    for descending, expected in ((False, up), (True, down)):
        items = reader.checkpoints(CheckpointFilter(), sort=sort, descending=descending).items
        assert [item.path.rpartition("/")[2] for item in items] == expected.split()
    assert sort in CHECKPOINT_SORTS or sort.startswith("nonsense")


def test_pages_cover_the_list_once_and_tell_the_whole(engine: Engine) -> None:
    reader = store(engine, *(a_member(f"c-{n}", minute=1) for n in range(250)))
    pages = [reader.checkpoints(CheckpointFilter(), limit=100, offset=offset) for offset in (0, 100, 200, 300)]
    assert [len(page.items) for page in pages] == [100, 100, 50, 0]
    assert {(page.total, page.total_bytes) for page in pages} == {(250, 2500)}
    assert len({item.path for page in pages for item in page.items}) == 250
    assert len(reader.checkpoints(CheckpointFilter(), limit=None).items) == 250


def test_findings_stand_with_their_checkpoint_and_worst_first(engine: Engine) -> None:
    reader = store(engine, *varied(), rows=(a_run_row("run", errors=1),))
    broken = reader.checkpoint("r00t", "run/ckpts/b%")
    assert [(item.rule, item.reason) for item in broken.findings] == [("missing-shard", "1 of 2")]
    with engine.begin() as connection:
        found = [finding("orphan-shard", "run/x", "w"), finding("nothing-restorable", "run", "e")]
        writes.store_runs(connection, "r00t", [(a_run_row("run"), [*found, *broken.findings])])
    placed = reader.findings(FindingFilter(root="r00t", run="run"))
    assert [(item.finding.rule, item.is_checkpoint) for item in placed] == [
        ("nothing-restorable", False),
        ("missing-shard", True),
        ("orphan-shard", False),
    ]
    assert [item.finding.rule for item in reader.findings(FindingFilter(severities=("warning",)))] == ["orphan-shard"]
    assert len(reader.findings(FindingFilter(), limit=1)) == 1
    assert reader.findings(FindingFilter(run="other")) == ()


def test_two_roots_in_one_home_do_not_see_each_other(engine: Engine) -> None:
    mine = store(engine, *varied(), rows=(a_run_row("run", checkpoints=3, bytes=110, errors=1),))
    theirs = store(engine, a_member("c-1", step=1), rows=(a_run_row("run", checkpoints=1, bytes=10),), root="0ther")
    assert [root.path for root in mine.roots()] == ["/r00t"]
    assert (mine.overview(NOW).bytes, theirs.overview(NOW).bytes) == (110, 10)
    assert (mine.checkpoints(CheckpointFilter()).total, theirs.checkpoints(CheckpointFilter()).total) == (4, 1)
    assert [run.checkpoints for run in theirs.runs(RunFilter(), NOW).items] == [1]
    assert theirs.findings(FindingFilter()) == ()
    assert theirs.checkpoint("0ther", "run/ckpts/c-1").findings == ()
    for ask in (
        lambda: theirs.checkpoint("r00t", "run/ckpts/b%"),
        lambda: theirs.run("r00t", "run", NOW),
        lambda: mine.run("r00t", "nothing", NOW),
        lambda: mine.checkpoint("r00t", "nothing"),
    ):
        with pytest.raises(NotFoundError):
            ask()
    both = Reader(engine, ["r00t", "0ther"])
    assert both.overview(NOW).runs == 2
    assert Reader(engine, []).overview(NOW).runs == 0


def test_equal_rows_are_left_alone_and_ids_stay(engine: Engine) -> None:
    reader = store(engine, *varied())
    ids = {item.path: item.id for item in reader.checkpoints(CheckpointFilter()).items}
    changed = [item._replace(bytes=item.bytes + (item.stem == "c-#")) for item in varied()[1:]]
    with engine.begin() as connection:
        rows = writes.load_checkpoints(connection, "r00t", ["run/ckpts", "other"])
        writes.store_checkpoints(connection, rows, changed)
    after = reader.checkpoints(CheckpointFilter()).items
    assert {item.path: item.id for item in after} == {path: ids[path] for path in ids if path != "run/ckpts/c-1"}
    assert {item.path: item.bytes for item in after}["run/ckpts/c-4"] == 81


def test_roots_that_nobody_looked_at_for_long_are_forgotten(engine: Engine) -> None:
    store(engine, *varied(), rows=(a_run_row("run"),))
    store(engine, a_member("c-1"), rows=(a_run_row("run"),), root="0ther")
    with engine.begin() as connection:
        writes.forget_roots(connection, ["0ther"], 86_400.0 * 365 * 100)
        assert len(Reader(engine, ["r00t", "0ther"]).roots()) == 2
        writes.forget_roots(connection, ["0ther"], 0.0)
    both = Reader(engine, ["r00t", "0ther"])
    assert [root.id for root in both.roots()] == ["0ther"]
    assert (both.checkpoints(CheckpointFilter()).total, both.overview(NOW).runs) == (1, 1)


def test_a_root_keeps_its_problem_and_odd_path(engine: Engine) -> None:
    root = Root(id="r", path=os.fsdecode(b"/caf\xe9"), problem="gone", looked_at=START)
    with engine.begin() as connection:
        writes.store_root(connection, root, to_us(START))
        writes.store_root(connection, replace(root, problem=None), to_us(START))
    assert Reader(engine, ["r"]).roots() == (replace(root, problem=None),)


def test_a_catalog_deleted_under_a_running_server_is_begun_anew(tmp_path: Path) -> None:
    engine = open_catalog(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    reopen_if_replaced(engine)
    assert (tmp_path / "catalog.sqlite3").exists()
    with engine.connect() as connection:
        assert connection.execute(select(tables.runs)).all() == []
    before = (tmp_path / "catalog.sqlite3").stat().st_ino
    reopen_if_replaced(engine)
    assert (tmp_path / "catalog.sqlite3").stat().st_ino == before


@pytest.mark.parametrize(
    ("value", "kept"),
    [(None, None), (5, 5), ((1 << 63) - 1, (1 << 63) - 1), (1 << 63, (1 << 63) - 1), (-(1 << 90), 1 - (1 << 63))],
)
def test_numbers_are_cut_to_what_a_database_holds(value: int | None, kept: int | None) -> None:
    assert bounded(value) == kept


def test_folders_of_another_root_are_not_seen(engine: Engine) -> None:
    state = StateFile(path="run/checkpoint", latest="c-1")
    left = Leftover(path="run/x", rule="orphan-shard", files=(FileStat("x", 1, 1, 1),), reason="Alone.")
    folder = KnownFolder(
        path="run",
        signature="s",
        times=(),
        subfolders=(),
        newest_ns=0,
        has_units=True,
        has_folder_unit=False,
        is_marker=False,
        is_named=False,
        recheck=False,
        bytes=1,
        states=(state,),
        leftovers=(left,),
        problems=(),
        run="run",
    )
    with engine.begin() as connection:
        store_folders(connection, "r00t", [folder], ())
    for roots, expected in ((["r00t"], 1), (["0ther"], 0)):
        reader = Reader(engine, roots)
        answers = (
            reader.states("r00t", "run"),
            reader.all_states("r00t"),
            reader.leftovers("r00t", "run"),
            reader.all_leftovers("r00t"),
            reader.folders_in("r00t", "run"),
        )
        assert [len(answer) for answer in answers] == [expected] * 5
