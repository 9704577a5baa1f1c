"""After an upgrade: what an older code judged is judged anew, what it read is read again, and nothing else is."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file
from sqlalchemy import update

from core.base.facts import Format
from core.catalog import tables
from core.catalog.audits import load_snapshots
from core.catalog.engine import FILE_NAME
from core.catalog.filters import CheckpointFilter
from core.config.settings import Settings
from core.formats import registry
from core.formats.registry import spec_of
from core.health.subject import identity
from core.indexing import stamp
from core.indexing.options import CancelledError, Options, Progress
from core.indexing.passes import root_id
from core.indexing.refresh import refresh_root
from core.indexing.stamp import Stamp, current_stamp
from core.services.disk_space import last_audit
from core.services.workspace import Workspace
from tests.support.disk import Disk
from tests.support.trees import flip, options, save
from waypoint_resume.names import short_id

PROJECT = Path(__file__).parents[2]
DUMP = Path(__file__).parents[1] / "old_catalog" / "catalog_2d5a4b9.sql"
KEPT = ("verifications", "audits", "snapshots")
NEW_RULE = """
_without_new = judge_run
NEW = Rule(
    id="new-rule",
    family=Family.RUN,
    severity=Severity.WARNING,
    meaning="It is new.",
    why="Somebody wrote it.",
    action="Look at it.",
)
RULES += (NEW,)


def judge_run(run, series, leftovers=()):
    yield NEW.finding(run, "The upgrade brought it.")
    yield from _without_new(run, series, leftovers)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "data", tmp_path / "home")


def upgraded(*formats: Format, looks: bool = False, rules: bool = False, seconds: float | None = None) -> Options:
    """A pass of code with other readers of some formats; a reader that changes is a part of looks, too."""
    now = current_stamp()
    readers = {**now.readers, **{form: f"{form.value[:4]}-new" for form in formats}}
    made = Stamp(looks="looks-new" if looks else now.looks, rules="rules-new" if rules else now.rules, readers=readers)
    return replace(options(), stamp=made, reread_seconds=seconds)


def tensors(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.zeros(3, np.float32)}, path)
    os.utime(path, (1_700_000_000, 1_700_000_000))


def three_formats(disk: Disk) -> None:
    """A run of two bundles and two safetensors files, another with one bundle, and an HDF5 file that is nobody's."""
    save(disk.root / "a", 1)
    save(disk.root / "a", 2)
    tensors(disk.root / "a" / "one.safetensors")
    tensors(disk.root / "a" / "two.safetensors")
    save(disk.root / "b", 1)
    (disk.root / "c").mkdir()
    with h5py.File(disk.root / "c" / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    os.utime(disk.root / "c" / "data.h5", (1_700_000_000, 1_700_000_000))


def old_home(root: Path, home: Path) -> dict[str, list[tuple[object, ...]]]:
    """The home with the catalog that an earlier commit made of a root; returns what must be kept."""
    save(root / "good", 1)
    save(root / "good", 2)
    flip(save(root / "bad", 1))
    own = root_id(str(root))
    sql = DUMP.read_text("utf-8")
    for name, value in (("/ROOT", str(root)), ("ROOT-ID", own), ("SCOPE-ID", short_id(own))):
        sql = sql.replace(name, value)
    home.mkdir()
    with closing(sqlite3.connect(home / FILE_NAME)) as database:
        database.executescript(sql)
    return rows(home)


def rows(home: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(home / FILE_NAME)) as database:
        return {name: sorted(database.execute(f"SELECT * FROM {name}")) for name in KEPT}


def test_a_catalog_of_an_earlier_commit_opens_and_keeps_what_no_look_finds_again(tmp_path: Path) -> None:
    root, home = tmp_path / "data", tmp_path / "home"
    before = old_home(root, home)
    assert [len(before[name]) for name in KEPT] == [2, 1, 2]
    workspace = Workspace.open(Settings(roots=(str(root),), home=home))
    assert rows(home) == before
    workspace.refresh()
    assert rows(home) == before
    own = root_id(str(root))
    first, last = load_snapshots(workspace.engine, [own], datetime(2020, 1, 1, tzinfo=UTC))
    grown = {run: apparent for run, apparent, _ in last.runs if run is not None}
    assert {run: apparent for run, apparent, _ in first.runs if run is not None} == {**grown, "good": 1065}
    assert grown == {"good": 2130, "bad": 1065}
    audited = last_audit(workspace)
    assert audited is not None
    assert audited.usage.apparent_bytes == 3195
    # The tree was made anew, so the verified files are others: with those that the verification was made for ...
    (item,) = workspace.reader.checkpoints(CheckpointFilter(root=own, run="bad")).items
    assert item.restorable
    with workspace.engine.begin() as connection:
        mine = tables.verifications.c.path == "bad/ckpt-1"
        connection.execute(update(tables.verifications).where(mine).values(identity=identity(item.files)))
        connection.execute(update(tables.runs).values(turns_us=0))
    workspace.refresh()
    (item,) = workspace.reader.checkpoints(CheckpointFilter(root=own, run="bad")).items
    assert not item.restorable  # ... what it found stands
    workspace.close()


def test_a_new_rule_finds_what_is_wrong_with_a_run_in_which_nothing_changed(tmp_path: Path) -> None:
    root, home, code = tmp_path / "data", tmp_path / "home", tmp_path / "code"
    old_home(root, home)
    workspace = Workspace.open(Settings(roots=(str(root),), home=home))
    assert workspace.refresh().parsed == 3
    workspace.close()
    for name in ("core", "client"):
        shutil.copytree(PROJECT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    runs = code / "core/health/runs.py"
    runs.write_text(runs.read_text("utf-8") + NEW_RULE, "utf-8")

    def said(*words: str) -> object:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(code / "client"), str(code)])}
        env |= {"WAYPOINT_HOME": str(home), "WAYPOINT_ROOTS": str(root)}
        command = [sys.executable, "-m", "core", *words, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False, text=True)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    first = said("index")
    assert isinstance(first, dict)
    assert (first["rejudged"], first["parsed"], first["reread"], first["waiting"]) == (2, 0, 0, 0)
    found = said("health", "--cached")
    assert isinstance(found, list)
    assert sorted(row["run"] for row in found if row["rule"] == "new-rule") == ["bad", "good"]
    again = said("index")
    assert isinstance(again, dict)
    assert again["rejudged"] == 0


@pytest.mark.parametrize("looks", [False, True], ids=["reader", "reader and looks"])
def test_only_what_the_changed_reader_read_is_read_again(looks: bool, disk: Disk) -> None:
    three_formats(disk)
    disk.look()
    before = disk.items()
    made = disk.look(upgraded(Format.SAFETENSORS, looks=looks))
    assert (made.parsed, made.reread, made.waiting) == (2, 2, 0)
    assert {path: item._replace(read_by="") for path, item in disk.items().items()} == {
        path: item._replace(read_by="") for path, item in before.items()
    }
    again = disk.look(upgraded(Format.SAFETENSORS, looks=looks))
    assert (again.parsed, again.reread, again.changed) == (0, 0, False)


def test_other_rules_judge_every_run_anew_and_read_nothing(disk: Disk) -> None:
    three_formats(disk)
    disk.look()
    made = disk.look(upgraded(rules=True, looks=True))
    assert (made.rejudged, made.parsed, made.reread) == (2, 0, 0)
    assert not disk.look(upgraded(rules=True, looks=True)).changed


@pytest.mark.parametrize("deep", [True, False])
def test_what_another_reader_takes_for_a_checkpoint_becomes_a_run(
    deep: bool, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_formats(disk)
    disk.look()
    assert "c" not in disk.runs()
    mended = replace(spec_of(Format.HDF5), is_foreign=lambda _unit, _error: False)
    monkeypatch.setitem(registry._BY_FORMAT, Format.HDF5, mended)
    disk.look(replace(upgraded(Format.HDF5, looks=True), deep=deep))
    assert "c" in disk.runs()


def test_a_pass_without_time_reads_one_again_and_the_next_goes_on(disk: Disk) -> None:
    for run, number in (("old", 1), ("old", 2), ("new", 10), ("new", 11)):
        save(disk.root / run, number)
    disk.look()
    want = disk.content()
    left, done = [], []
    for _ in range(4):
        made = disk.look(upgraded(Format.TF_BUNDLE, looks=True, seconds=0))
        assert (made.parsed, made.reread) == (1, 1)
        left.append(made.waiting)
        done.append({item.run for item in disk.items().values() if item.read_by == "tf-b-new"})
    assert left == [2, 1, 1, 0]
    assert done[0] == done[1] == {"new"}
    assert not disk.look(upgraded(Format.TF_BUNDLE, looks=True, seconds=0)).changed
    disk.look()  # back to the code that was before
    assert disk.content() == want


def test_a_pass_that_ends_in_between_keeps_what_it_read_again(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.indexing.refresh._BATCH", 1)
    for run in "abc":
        save(disk.root / run, 1)
    disk.look()
    progress = Progress()

    def stop() -> None:
        if progress.reread == 2:
            raise CancelledError("stopped")

    progress.step = stop
    how = upgraded(Format.TF_BUNDLE, looks=True, rules=True)
    with pytest.raises(CancelledError):
        refresh_root(disk.engine, disk.store, "r00t", str(disk.root), how, progress)
    made = disk.look(how)
    assert (made.rejudged, made.reread, made.waiting) == (2, 2, 0)


def test_names_are_read_anew_without_reading_files(disk: Disk) -> None:
    save(disk.root / "a", 3, name="model-epoch_007")
    disk.look()
    want = disk.items()
    with disk.engine.begin() as connection:  # as a reader of names left them that knew less
        connection.execute(update(tables.checkpoints).values(stem="model-epoch_007"))
    made = disk.look(upgraded(looks=True, rules=True))
    assert made.parsed == 0
    assert disk.items() == want


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the sources, of which stamps are made."""
    for name, place in (("core", "core"), ("waypoint_resume", "client/waypoint_resume")):
        shutil.copytree(PROJECT / place, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(stamp, "_HOMES", {name: tmp_path / name for name in ("core", "waypoint_resume")})
    yield tmp_path
    forget()


def forget() -> None:
    for made in (stamp.current_stamp, stamp._imports, stamp._source):
        made.cache_clear()


def stamped() -> Stamp:
    forget()
    return current_stamp()


@pytest.mark.parametrize(
    ("module", "changed"),
    [
        ("core/formats/safetensors.py", {"looks", "safetensors"}),
        ("core/formats/bundle_index.py", {"looks", "tf-bundle", "saved-model"}),
        ("core/formats/orbax_reader.py", {"looks", "orbax"}),
        ("core/health/listing.py", {"rules"}),
        ("core/runs/series.py", {"rules"}),
        ("core/catalog/queries.py", set[str]()),
    ],
)
def test_a_changed_module_makes_the_versions_new_that_it_is_a_part_of(
    module: str, changed: set[str], sources: Path
) -> None:
    before = flat(stamped())
    (sources / module).write_text((sources / module).read_text("utf-8") + "\n# more\n", "utf-8")
    after = flat(stamped())
    made = {name for name in after if after[name] != before[name]}
    assert changed <= made
    assert made - changed <= {"looks", "rules"}  # no other format is read again


def test_names_are_a_part_of_looks_and_rules(sources: Path) -> None:
    before = flat(stamped())
    names = sources / "waypoint_resume/file_names.py"
    names.write_text(names.read_text("utf-8") + "\n# more\n", "utf-8")
    after = flat(stamped())
    assert {"looks", "rules"} <= {name for name in after if after[name] != before[name]}


def test_line_ends_make_nothing_new(sources: Path) -> None:
    before = stamped()
    for file in (sources / "core").rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert stamped() == before


def flat(made: Stamp) -> dict[str, str]:
    return {"looks": made.looks, "rules": made.rules} | {form.value: text for form, text in made.readers.items()}
